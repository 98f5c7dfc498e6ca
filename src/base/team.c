#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A thread's own part of the chunks: it works there first, then helps the others.  What it reads of the last job's
 * results is then mostly what its own core's cache holds. */
struct share { _Alignas(64) atomic_int next; int end; };

/* A job is open while threads may join it.  `state` holds all that a thread must know to join: how many did, how many
 * may, in multiples of PLACE, and OPEN.  One that saw an earlier job's state joins only if this job's is the same.
 *
 * 1. body, job and shares are written before the job opens, and not again before it is closed and every thread
 *    that joined has finished.
 * 2. A thread works at a job only between joining and finishing. */
enum { SPINS = 4000, PLACE = TEAM_MAX, JOINED = PLACE - 1, OPEN = TEAM_MAX * PLACE };

static struct pool {
    pthread_mutex_t owner;              /* held by the caller whose job this is */
    pthread_mutex_t sleep;
    pthread_cond_t wake, done;
    int threads;                        /* started, the callers not counted */
    int sleeping, waiting;              /* guarded by sleep */
    atomic_uint generation, state, finished;
    void (*body)(const void *job, int chunk);
    const void *job;
    int share_count;
    struct share shares[TEAM_MAX];
} pool = { .owner = PTHREAD_MUTEX_INITIALIZER, .sleep = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };

static _Thread_local int self;          /* this thread's place in the job */
static _Thread_local int home;          /* which share it starts with, the same in all jobs */

int cores(void)
{
    cpu_set_t set;
    const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > TEAM_MAX ? TEAM_MAX : count;
}

int team_self(void) { return self; }

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void work(void)
{
    for (int i = 0; i < pool.share_count; i++) {
        struct share *share = &pool.shares[(home + i) % pool.share_count];
        int chunk;
        while ((chunk = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed)) < share->end)
            pool.body(pool.job, chunk);
    }
}

static bool has_room(unsigned state)
{
    return state & OPEN && (state & JOINED) < state / PLACE % TEAM_MAX;
}

/* Joins the open job, if there is one and it wants another thread; self becomes this thread's place in it. */
static bool join(void)
{
    unsigned state = atomic_load(&pool.state);
    while (has_room(state))
        if (atomic_compare_exchange_weak(&pool.state, &state, state + 1)) {
            self = (int)(state & JOINED) + 1;
            return true;
        }
    return false;
}

static void finish(void)
{
    atomic_fetch_add(&pool.finished, 1);
    pthread_mutex_lock(&pool.sleep);
    if (pool.waiting)
        pthread_cond_signal(&pool.done);
    pthread_mutex_unlock(&pool.sleep);
}

static void sleep_until(unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool.generation, memory_order_acquire) != seen)
            return;
        pause_a_little();
    }
    pthread_mutex_lock(&pool.sleep);
    pool.sleeping++;
    while (atomic_load(&pool.generation) == seen)
        pthread_cond_wait(&pool.wake, &pool.sleep);
    pool.sleeping--;
    pthread_mutex_unlock(&pool.sleep);
}

static void *thread_main(void *number)
{
    unsigned seen = 0;
    home = (int)(intptr_t)number;
    for (;;) {
        sleep_until(seen);
        seen = atomic_load(&pool.generation);
        if (join()) {
            work();
            finish();
        }
    }
    return NULL;
}

static void start_threads(int count)
{
    for (; pool.threads < count; pool.threads++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, thread_main, (void *)(intptr_t)(pool.threads + 1)) != 0)
            return;                                     /* fewer threads do the same work */
        pthread_detach(thread);
    }
}

static void open_job(int most, int chunks, void (*body)(const void *, int), const void *job)
{
    pool.share_count = most + 1;
    for (int i = 0; i <= most; i++) {
        atomic_store_explicit(&pool.shares[i].next, (int)((int64_t)chunks * i / (most + 1)), memory_order_relaxed);
        pool.shares[i].end = (int)((int64_t)chunks * (i + 1) / (most + 1));
    }
    pool.body = body;
    pool.job = job;
    atomic_store(&pool.finished, 0);
    atomic_store(&pool.state, OPEN | (unsigned)most * PLACE);
    atomic_fetch_add(&pool.generation, 1);
    pthread_mutex_lock(&pool.sleep);
    if (pool.sleeping)
        pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep);
}

/* Nobody joins any more; returns when those who did have finished. */
static void close_job(void)
{
    const unsigned joined = atomic_fetch_and(&pool.state, ~(unsigned)OPEN) & JOINED;
    for (int i = 0; i < SPINS && atomic_load(&pool.finished) != joined; i++)
        pause_a_little();
    if (atomic_load(&pool.finished) == joined)
        return;
    pthread_mutex_lock(&pool.sleep);
    pool.waiting++;
    while (atomic_load(&pool.finished) != joined)
        pthread_cond_wait(&pool.done, &pool.sleep);
    pool.waiting--;
    pthread_mutex_unlock(&pool.sleep);
}

void team_for(const struct team *team, int chunks, void (*body)(const void *job, int chunk), const void *job)
{
    const int wanted = team->threads < TEAM_MAX ? team->threads : TEAM_MAX;
    const int threads = wanted < chunks ? wanted : chunks;
    if (threads <= 1 || pthread_mutex_trylock(&pool.owner) != 0) {
        for (int i = 0; i < chunks; i++)
            body(job, i);
        return;
    }
    start_threads(threads - 1);
    open_job(threads - 1, chunks, body, job);
    work();
    close_job();
    pthread_mutex_unlock(&pool.owner);
}
