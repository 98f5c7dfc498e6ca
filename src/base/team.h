/* base/team.h -- work shared by the threads of OpenMP.  Work is divided into chunks by its size, never by the
 * number of threads, and each chunk writes only its own results: they are bit-identical for any number of threads.
 *
 * The variables of OpenMP apply: OMP_NUM_THREADS, OMP_PROC_BIND, OMP_PLACES, OMP_WAIT_POLICY and others.  Each calling
 * thread has worker threads of its own, possibly fewer than requested.  OpenMP ends the process, with a line on stderr,
 * if it has no memory or cannot start a thread. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H
#include <stdbool.h>

enum { TEAM_MAX = 256 };                       /* threads per team; --threads and the API refuse more */

struct team { int threads; };                   /* requested, >= 1; more than TEAM_MAX count as TEAM_MAX */

int default_threads(void);              /* OMP_NUM_THREADS, else the cores that this process may use; 1 .. TEAM_MAX */

/* Runs body(job, chunk) once for each chunk 0 .. chunks - 1, in any order, on any thread; none if chunks is 0.  Returns
 * when all chunks are done, although some worker threads may not have begun.  A body may call team_for only for a team
 * of one thread. */
void team_for(const struct team *, int chunks, void (*body)(const void *job, int chunk), const void *job);

/* Calls run(context) once, on this thread, within one parallel region of OpenMP.  Calls of team_for in it, with the
 * same number of threads, cost less than calls that each begin and end a region. */
void team_run(const struct team *, void (*run)(void *context), void *context);

/* The times of jobs, in seconds, to predict the time with other numbers of threads.  owner: set by whoever knows for
 * whom the jobs run; INT_MIN at first. */
struct traced_job { int owner, first, chunks; };                /* chunks first .. first + chunks - 1 */
struct team_trace {
    struct traced_job *jobs; int job_count, job_capacity;
    double *chunk; int chunk_count, chunk_capacity;
    double serial, last;                /* time outside of jobs; the end of the last one */
    bool failed;                        /* memory was short */
};
/* Until team_trace(NULL), this thread runs all chunks itself and times them. */
void team_trace(struct team_trace *);
void team_trace_free(struct team_trace *);

/* The index of the thread, 0 .. threads - 1, within a body; for scratch memory, never for results. */
int team_thread(void);
#endif
