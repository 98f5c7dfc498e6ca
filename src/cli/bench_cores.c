#include "cli/bench_cores.h"

#include "base/min_max.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WORST = 8, WORST_COUNT = 5 };            /* the layers that idle most with 1 << WORST_COUNT threads */

/* ---- measuring ---- */

/* In forward the graph tells that a node is done, in backward that it begins. */
static void on_node(void *times, const struct graph *g, int node, enum pass pass)
{
    struct core_times *t = times;
    const int owner = 2 * node + (int)pass;
    (void)g;
    for (; t->labelled < t->round.job_count; t->labelled++)
        t->round.jobs[t->labelled].owner = pass == FORWARD ? owner : t->owner;
    t->owner = pass == FORWARD ? INT_MIN : owner;
}

/* Keeps the shortest time of each chunk, since other programs disturb single rounds. */
static void keep_best(struct core_times *t, int count)
{
    struct team_trace *best = &t->best[count], *round = &t->round;
    if (best->chunk_count != round->chunk_count) {
        team_trace_free(best);
        *best = *round;
        *round = (struct team_trace){0};
        return;
    }
    for (int i = 0; i < best->chunk_count; i++)
        best->chunk[i] = fmin(best->chunk[i], round->chunk[i]);
    best->serial = fmin(best->serial, round->serial);
    team_trace_free(round);
}

bool core_times_round(struct core_times *t, int count, struct graph *graph,
                      bool (*step)(void *context, struct error *), void *context, struct error *err)
{
    t->graph = graph;
    t->labelled = 0;
    t->owner = INT_MIN;
    graph->on_node = on_node;
    graph->on_node_data = t;
    team_trace(&t->round);
    const bool ok = step(context, err);
    team_trace(NULL);
    graph->on_node = NULL;
    if (ok && t->round.failed)
        return fail(err, "out of memory");
    keep_best(t, count);
    return ok;
}

void core_times_free(struct core_times *t)
{
    for (int i = 0; i < CORE_COUNTS; i++)
        team_trace_free(&t->best[i]);
    team_trace_free(&t->round);
}

/* ---- prediction ---- */

/* The time of a job: chunks go in order to the thread that is free first. */
static double job_time(const struct team_trace *t, const struct traced_job *job, int threads)
{
    double busy[CORES_MOST] = {0}, last = 0;
    const int count = min_int(threads, job->chunks);
    for (int i = job->first; i < job->first + job->chunks; i++) {
        int free_first = 0;
        for (int k = 1; k < count; k++)
            free_first = busy[k] < busy[free_first] ? k : free_first;
        busy[free_first] += t->chunk[i];
        last = fmax(last, busy[free_first]);
    }
    return last;
}

static double step_time(const struct team_trace *t, int threads)
{
    double sum = t->serial;
    for (int i = 0; i < t->job_count; i++)
        sum += job_time(t, &t->jobs[i], threads);
    return sum;
}

/* Time that threads idle in the jobs of a layer's pass, or of none. */
static double idle_time(const struct team_trace *t, int owner, int threads, int *fewest)
{
    double idle = 0;
    *fewest = INT_MAX;                          /* of the jobs that idle */
    for (int i = 0; i < t->job_count; i++)
        if (t->jobs[i].owner == owner) {
            const double lost = job_time(t, &t->jobs[i], threads) - job_time(t, &t->jobs[i], 1) / threads;
            *fewest = lost > 0 ? min_int(*fewest, t->jobs[i].chunks) : *fewest;
            idle += lost;
        }
    return idle;
}

struct idle_layer { int owner, fewest; double idle; };

/* The layers that idle most, in order. */
static void find_idle(const struct core_times *t, struct idle_layer worst[WORST])
{
    memset(worst, 0, WORST * sizeof *worst);
    for (int owner = 0; owner < 2 * t->graph->node_count; owner++) {
        struct idle_layer layer = { .owner = owner };
        layer.idle = idle_time(&t->best[WORST_COUNT], owner, 1 << WORST_COUNT, &layer.fewest);
        for (int i = 0; i < WORST; i++)
            if (layer.idle > worst[i].idle) {
                const struct idle_layer next = worst[i];
                worst[i] = layer;
                layer = next;
            }
    }
}

/* ---- report ---- */

void core_times_print(const struct core_times *t)
{
    const double alone = step_time(&t->best[0], 1), serial = t->best[0].serial / alone;
    struct idle_layer worst[WORST];
    printf("threads  ms per step  speedup  efficiency  Amdahl  chunks\n");
    for (int i = 0; i < CORE_COUNTS; i++) {
        const int threads = 1 << i;
        const double time = step_time(&t->best[i], threads);
        printf("%7d  %11.2f  %7.2f  %9.1f%%  %6.2f  %6d\n", threads, 1e3 * time, alone / time,
               100 * alone / time / threads, 1 / (serial + (1 - serial) / threads), t->best[i].chunk_count);
    }
    printf("serial: %.2f ms, %.2f%% of the step; %d jobs\n", 1e3 * t->best[0].serial, 100 * serial,
           t->best[0].job_count);
    printf("\nmost idle with %d threads:\n        ms  chunks  layer\n", 1 << WORST_COUNT);
    find_idle(t, worst);
    for (int i = 0; i < WORST && worst[i].idle > 0; i++)
        printf("%10.3f  %6d  %s, %s\n", 1e3 * worst[i].idle, worst[i].fewest, t->graph->nodes[worst[i].owner / 2].name,
               worst[i].owner % 2 == FORWARD ? "forward" : "backward");
    printf("\n");
}

bool core_times_describe(cJSON *json, const struct core_times *t)
{
    cJSON *list = t->graph ? cJSON_AddArrayToObject(json, "cores") : NULL;
    bool ok = list || !t->graph;
    for (int i = 0; ok && list && i < CORE_COUNTS; i++) {
        cJSON *row = cJSON_CreateObject();
        ok = row && cJSON_AddItemToArray(list, row) && cJSON_AddNumberToObject(row, "threads", 1 << i)
          && cJSON_AddNumberToObject(row, "ms_per_step", 1e3 * step_time(&t->best[i], 1 << i));
    }
    return ok && (!list || cJSON_AddNumberToObject(json, "serial_ms", 1e3 * t->best[0].serial));
}
