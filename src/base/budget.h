/* base/budget.h -- a limit on the bytes that the threads of the process use together. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    size_t limit, used;                                 /* used > limit only after the limit was lowered */
    unsigned next, turn;                                /* tickets: the next one, the one that is served */
};
#define BUDGET(bytes) { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, (bytes), 0, 0, 0 }

void budget_set(struct budget *, size_t limit);
size_t budget_limit(struct budget *);
bool budget_exceeded(struct budget *, size_t bytes);    /* true if `bytes` and those in use exceed the limit */

/* Waits until `bytes` are free and reserves them; threads are served in the order of their calls.  Returns false
 * without waiting if they exceed the limit, and as soon as a lowered limit makes them do so.  A caller must not hold
 * part of the budget: it could wait for itself. */
bool budget_acquire(struct budget *, size_t bytes);
void budget_release(struct budget *, size_t bytes);
#endif
