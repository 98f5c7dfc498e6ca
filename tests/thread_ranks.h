/* tests/thread_ranks.h -- ranks that are threads of the test. */
#ifndef TESTS_THREAD_RANKS_H
#define TESTS_THREAD_RANKS_H
#include "ranks/ranks.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = 8 };

struct message { int from, to, tag; void *bytes; size_t size; struct message *next; };
struct swap { int partner, tag; void *to; size_t size; bool pending; };

/* Messages on their way between the threads. */
struct post { pthread_mutex_t lock; pthread_cond_t arrived; struct message *first; };

struct thread_rank { struct ranks ranks; struct post *post; struct swap swaps[SLOTS]; };

static inline void post_message(struct thread_rank *self, int to, int tag, const void *bytes, size_t size)
{
    struct message *m = malloc(sizeof *m), **end = &self->post->first;
    *m = (struct message){ self->ranks.rank, to, tag, malloc(size + 1), size, NULL };
    memcpy(m->bytes, bytes, size);
    pthread_mutex_lock(&self->post->lock);
    while (*end)
        end = &(*end)->next;
    *end = m;
    pthread_cond_broadcast(&self->post->arrived);
    pthread_mutex_unlock(&self->post->lock);
}

static struct message **find_message(struct thread_rank *self, int from, int tag)
{
    struct message **p = &self->post->first;
    while (*p && ((*p)->from != from || (*p)->to != self->ranks.rank || (*p)->tag != tag))
        p = &(*p)->next;
    return p;
}

/* False if there is no such message and `wait` is not set. */
static bool take_message(struct thread_rank *self, int from, int tag, void *bytes, size_t size, bool wait)
{
    pthread_mutex_lock(&self->post->lock);
    while (wait && !*find_message(self, from, tag))
        pthread_cond_wait(&self->post->arrived, &self->post->lock);
    struct message **p = find_message(self, from, tag), *m = *p;
    if (m) {
        *p = m->next;
        if (m->size != size)
            abort();
        memcpy(bytes, m->bytes, size);
        free(m->bytes);
        free(m);
    }
    pthread_mutex_unlock(&self->post->lock);
    return m;
}

static void thread_send(void *self, int to, const void *bytes, size_t size) { post_message(self, to, 0, bytes, size); }

static void thread_receive(void *self, int from, void *bytes, size_t size)
{
    take_message(self, from, 0, bytes, size, true);
}

static void thread_swap(void *context, int slot, int partner, int tag, const void *send, void *receive, size_t sent,
                        size_t received)
{
    struct thread_rank *self = context;
    post_message(self, partner, tag, send, sent);
    self->swaps[slot] = (struct swap){ partner, tag, receive, received, true };
}

static bool thread_swapped(void *context, int slot, bool wait)
{
    struct thread_rank *self = context;
    struct swap *s = &self->swaps[slot];
    s->pending = s->pending && !take_message(self, s->partner, s->tag, s->to, s->size, wait);
    return !s->pending;
}

static const struct transport thread_transport = { thread_send, thread_receive, thread_swap, thread_swapped };

struct rank_thread { struct thread_rank own; void (*run)(const struct ranks *, void *data); void *data; pthread_t id; };

static void *start_rank(void *thread)
{
    struct rank_thread *t = thread;
    t->run(t->own.ranks.count > 1 ? &t->own.ranks : NULL, t->data);
    return NULL;
}

/* Runs run(ranks, data + rank * size) in `count` threads.  No message may be left. */
static inline void run_ranks(int count, void (*run)(const struct ranks *, void *data), void *data, size_t size)
{
    struct post post = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL };
    struct rank_thread *threads = calloc((size_t)count, sizeof *threads);
    for (int i = 0; i < count; i++) {
        struct rank_thread *t = &threads[i];
        t->own = (struct thread_rank){ .ranks = { i, count, &thread_transport, &t->own, NULL }, .post = &post };
        t->run = run;
        t->data = (char *)data + (size_t)i * size;
        if (pthread_create(&t->id, NULL, start_rank, t) != 0)
            abort();
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
    free(threads);
    if (post.first)
        abort();
}
#endif
