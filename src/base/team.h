/* base/team.h -- one team of threads.  Work is cut into chunks fixed by the problem, never by the number of
 * threads, and each chunk writes only what is its own: the same bits for any number of threads.
 *
 * The threads are the process's own, started at first need and shared by every team.  A thread that finds no work
 * looks for it for some microseconds and then sleeps, so that a busy machine loses nothing to waiting; one that comes
 * too late for a job is not waited for. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

enum { TEAM_MAX = 256 };                       /* threads per team at most; --threads and the API refuse more */

struct team { int threads; };                   /* >= 1; team_for uses at most TEAM_MAX of them */

int cores(void);                                /* that this process may use */

/* Runs body(job, 0 .. chunks-1), each once, in any order, on any thread; returns when all are done.  From within
 * a body only a team of one may be called.  Where two threads call it at once, one of them does its work alone. */
void team_for(const struct team *, int chunks, void (*body)(const void *job, int chunk), const void *job);

/* Within a body: which thread runs it, 0 .. threads-1; for scratch memory, never for results. */
int team_self(void);
#endif
