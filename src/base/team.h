/* base/team.h -- one team of threads.  Work is cut into chunks fixed by the problem, never by the number of
 * threads, and each chunk writes only what is its own: the same bits for any number of threads. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

struct team { int threads; };                   /* >= 1 */

int cores(void);                                /* that this process may use */

/* Runs body(job, 0 .. chunks-1), each once, in any order, on any thread; returns when all are done.
 * Not to be called from within a body. */
void team_for(const struct team *, int chunks, void (*body)(const void *job, int chunk), const void *job);

/* Within a body: which thread runs it, 0 .. threads-1; for scratch memory, never for results. */
int team_self(void);
#endif
