#include "base/budget.h"

void budget_set(struct budget *b, size_t limit)
{
    pthread_mutex_lock(&b->lock);
    b->limit = limit;
    pthread_cond_broadcast(&b->freed);
    pthread_mutex_unlock(&b->lock);
}

size_t budget_limit(struct budget *b)
{
    pthread_mutex_lock(&b->lock);
    const size_t limit = b->limit;
    pthread_mutex_unlock(&b->lock);
    return limit;
}

bool budget_exceeded(struct budget *b, size_t bytes)
{
    pthread_mutex_lock(&b->lock);
    const bool exceeded = b->used > b->limit || bytes > b->limit - b->used;
    pthread_mutex_unlock(&b->lock);
    return exceeded;
}

static bool must_wait(const struct budget *b, unsigned ticket, size_t bytes)
{
    return ticket != b->turn || (bytes <= b->limit && (b->used > b->limit || bytes > b->limit - b->used));
}

bool budget_acquire(struct budget *b, size_t bytes)
{
    pthread_mutex_lock(&b->lock);
    bool fits = bytes <= b->limit;
    if (fits) {
        const unsigned ticket = b->next++;
        while (must_wait(b, ticket, bytes))
            pthread_cond_wait(&b->freed, &b->lock);
        b->turn++;
        fits = bytes <= b->limit;                       /* it may have been lowered */
        b->used += fits ? bytes : 0;
        pthread_cond_broadcast(&b->freed);
    }
    pthread_mutex_unlock(&b->lock);
    return fits;
}

void budget_release(struct budget *b, size_t bytes)
{
    pthread_mutex_lock(&b->lock);
    b->used -= bytes;
    pthread_cond_broadcast(&b->freed);
    pthread_mutex_unlock(&b->lock);
}
