/* cli/bench_cores.h -- how a training step would divide among other numbers of threads.
 *
 * One thread runs the chunks that the step would have with T threads, and times each.  The time with T threads is then
 * the serial time, and for each job the time of the thread that ends last if chunks go in order to the thread that is
 * free first.  Memory bandwidth, which threads share, and the start of a job are left out, so this is a bound from the
 * division of work. */
#ifndef CLI_BENCH_CORES_H
#define CLI_BENCH_CORES_H
#include "base/json.h"
#include "base/team.h"
#include "graph/graph.h"

enum { CORE_COUNTS = 8, CORES_MOST = 1 << (CORE_COUNTS - 1) };          /* 1, 2, 4 .. 128 threads */

struct core_times {
    struct graph *graph;                /* borrowed; NULL: nothing has been measured */
    struct team_trace best[CORE_COUNTS], round;
    int labelled, owner;
};

/* Times a step of a graph whose team is told to have 1 << count threads.  The owner of a job is 2 node + pass; the
 * others are those of the losses and of the optimiser. */
bool core_times_round(struct core_times *, int count, struct graph *, bool (*step)(void *context, struct error *),
                      void *context, struct error *);
void core_times_free(struct core_times *);

bool core_times_describe(cJSON *json, const struct core_times *);       /* false if memory is short */
void core_times_print(const struct core_times *);
#endif
