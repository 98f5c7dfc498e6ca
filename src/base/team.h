/* base/team.h -- work shared by the threads of OpenMP.  Work is cut into chunks fixed by the problem, never by the
 * number of threads, and each chunk writes only what is its own: the same bits for any number of threads.
 *
 * The settings of OpenMP hold: OMP_NUM_THREADS, OMP_PROC_BIND, OMP_PLACES, OMP_WAIT_POLICY and others.  Each thread
 * that calls has threads of its own to help it, as OpenMP has it; OpenMP may give fewer than wanted.  It ends the
 * process, with a line on stderr, if it has no memory or cannot start a thread.
 *
 * A thread that comes too late for a job is not waited for. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

enum { TEAM_MAX = 256 };                       /* threads per team at most; --threads and the API refuse more */

struct team { int threads; };                   /* >= 1; at most TEAM_MAX of them are used */

int default_threads(void);              /* OMP_NUM_THREADS, else the cores that this process may use; 1 .. TEAM_MAX */

/* Runs body(job, 0 .. chunks-1), each once, in any order, on any thread; returns when all are done.  From within
 * a body only a team of one may be called. */
void team_for(const struct team *, int chunks, void (*body)(const void *job, int chunk), const void *job);

/* run(context), on this thread, while the team is ready: a parallel region of OpenMP.  Calls of team_for in it, with
 * the same number of threads, cost less than calls that each begin and end a region. */
void team_run(const struct team *, void (*run)(void *context), void *context);

/* Within a body: which thread runs it, 0 .. threads-1; for scratch memory, never for results. */
int team_self(void);
#endif
