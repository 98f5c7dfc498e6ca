#include "base/team.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/min_max.h"
#include <limits.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* A thread's own part of the chunks: it works there first, then helps the others.  What it reads of the last job's
 * results is then mostly what its own core's cache holds. */
struct work_range { _Alignas(64) atomic_int next; int end; };

struct job {
    void (*body)(const void *job, int chunk);
    const void *job;
    int range_count;
    struct work_range ranges[TEAM_MAX];
};

static _Thread_local int region;        /* threads of the region that this thread has opened; 0: none */
static _Thread_local int self;          /* omp_get_thread_num() would count threads of a host program's region, too */

static _Thread_local struct team_trace *trace;  /* or NULL */

int default_threads(void) { return min_int(omp_get_max_threads(), TEAM_MAX); }

int team_thread(void) { return self; }

void team_run(const struct team *team, void (*run)(void *context), void *context)
{
    const int threads = min_int(team->threads, TEAM_MAX);
    if (threads <= 1 || region || trace) {
        run(context);
        return;
    }
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() == 0) {
        region = threads;
        run(context);
        region = 0;
    }
}

static void cut(struct job *j, int chunks)
{
    for (int i = 0; i < j->range_count; i++) {
        atomic_init(&j->ranges[i].next, (int)((int64_t)chunks * i / j->range_count));
        j->ranges[i].end = (int)((int64_t)chunks * (i + 1) / j->range_count);
    }
}

enum { NEIGHBOURS = 8 };

static void work_in(struct job *j, int index)
{
    struct work_range *range = &j->ranges[index % j->range_count];
    int chunk;
    while ((chunk = atomic_fetch_add_explicit(&range->next, 1, memory_order_relaxed)) < range->end)
        j->body(j->job, chunk);
}

/* A thread helps its next neighbours, then some further on: if each looked at all ranges, the cost of a job would grow
 * with the square of their number. */
static void work(struct job *j)
{
    for (int i = 0; i < j->range_count; i = i < NEIGHBOURS ? i + 1 : 2 * i)
        work_in(j, self + i);
}

/* A task for every other thread.  This thread runs those that no thread has begun when it has finished its own work,
 * so it waits only for threads that are at work.  libomp uses the memory of a finished task again, in any thread; the
 * thread sanitizer does not see that it is free. */
__attribute__((no_sanitize("thread")))
static void share(void *job)
{
    struct job *j = job;
    for (int i = 1; i < j->range_count; i++) {
#pragma omp task firstprivate(j)
        {
            self = omp_get_thread_num();
            work(j);
            self = 0;
        }
    }
    work(j);
#pragma omp taskwait
    for (int i = NEIGHBOURS + 1; i < j->range_count; i++)       /* ranges that no thread has helped */
        work_in(j, i);
}

/* ---- tracing ---- */

void team_trace(struct team_trace *t)
{
    trace = t;
    if (t)
        t->last = clock_seconds();
}

void team_trace_free(struct team_trace *t)
{
    free(t->jobs);
    free(t->chunk);
    *t = (struct team_trace){0};
}

static void run_traced(int chunks, void (*body)(const void *job, int chunk), const void *job)
{
    struct team_trace *t = trace;
    double start = clock_seconds();
    t->serial += start - t->last;
    t->failed = t->failed || !grow_array(&t->jobs, t->job_count, &t->job_capacity, sizeof *t->jobs, NULL);
    if (!t->failed)
        t->jobs[t->job_count++] = (struct traced_job){ INT_MIN, t->chunk_count, chunks };
    for (int i = 0; i < chunks; i++) {
        body(job, i);
        const double now = clock_seconds();
        t->failed = t->failed || !grow_array(&t->chunk, t->chunk_count, &t->chunk_capacity, sizeof *t->chunk, NULL);
        if (!t->failed)
            t->chunk[t->chunk_count++] = now - start;
        start = now;
    }
    t->last = clock_seconds();
}

void team_for(const struct team *team, int chunks, void (*body)(const void *job, int chunk), const void *job)
{
    const int most = min_int(team->threads, TEAM_MAX), threads = min_int(most, chunks);
    if (trace) {
        run_traced(chunks, body, job);
        return;
    }
    if (threads <= 1 || (region && region != most)) {
        for (int i = 0; i < chunks; i++)
            body(job, i);
        return;
    }
    struct job j;                       /* without an initialiser, which would write all ranges */
    j.body = body;
    j.job = job;
    j.range_count = threads;
    cut(&j, chunks);
    team_run(team, share, &j);
}
