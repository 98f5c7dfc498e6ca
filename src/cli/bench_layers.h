/* cli/bench_layers.h -- time, arithmetic and memory traffic: a row per layer, and sums per part of the model.
 *
 * The time of a layer is its minimum over all rounds, since other programs disturb single rounds.
 * Arithmetic follows the layer's definition, two operations per multiply-add, whatever the algorithm, so Winograd may
 * exceed the peak.  Backward counts once for each of input and weight that has a gradient.  Bytes are a lower bound:
 * operands read once, results written once, none for views.  The peak is measured after each round: matrix products in
 * the L1 cache on all threads. */
#ifndef CLI_BENCH_LAYERS_H
#define CLI_BENCH_LAYERS_H
#include "base/json.h"
#include "graph/graph.h"

struct layers {                                 /* {0}: no measurement; all functions but layers_open do nothing */
    struct graph *graph;                        /* borrowed */
    int runs;                                   /* of the graph per round */
    double *seconds[2], *min[2];                /* [pass][node] of this round; minimum of all rounds */
    double losses, optimizer;                   /* minimum seconds; HUGE_VAL without training */
    double peak;                                /* operations per second */
};

/* Starts timing the layers of a graph that runs so many times per round. */
bool layers_open(struct layers *, struct graph *, int runs, struct error *);
void layers_free(struct layers *);

/* Call it after each round, with the seconds of forward (losses included) and of the optimizer; HUGE_VAL for both
 * without training. */
void layers_keep(struct layers *, double forward, double optimizer);

bool layers_describe(cJSON *to, const struct layers *);     /* adds peak_gflops, parts and layers */
void layers_print(const struct layers *);
#endif
