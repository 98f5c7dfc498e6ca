/* cli/bench_layers.h -- time, arithmetic and memory traffic: a row per layer, and sums per part of the model.
 *
 * The time of a layer is its minimum over all rounds, since other programs disturb single rounds.
 * Arithmetic follows the definition of the layer, two operations per multiply-add, whatever the algorithm, so the rate
 * of Winograd layers may exceed the peak.  Backward counts once for the gradient of the input and once for that of the
 * weight, if they are computed.  Bytes are a lower bound: operands read once, results written once, none for views.
 * After each round, matrix products in the L1 cache on all threads measure the peak. */
#ifndef CLI_BENCH_LAYERS_H
#define CLI_BENCH_LAYERS_H
#include "base/json.h"
#include "graph/graph.h"

struct layer_times {                            /* {0}: nothing is measured, all functions but _open do nothing */
    struct graph *graph;                        /* borrowed */
    int runs_per_round;                         /* of the graph */
    double *round_seconds[2], *min_seconds[2];  /* [pass][node] of this round; the minimum of all rounds */
    double losses, optimizer;                   /* minimum seconds; HUGE_VAL in inference.  losses: the time of the
                                                   forward call that no layer takes */
    double peak;                                /* operations per second, the best of all rounds */
};

/* Starts timing the layers of a graph that runs runs_per_round times per round. */
bool layer_times_open(struct layer_times *, struct graph *, int runs_per_round, struct error *);
void layer_times_free(struct layer_times *);

/* Ends a round.  forward: seconds of the forward passes with the losses; optimizer: seconds of the updates.  Inference
 * has neither losses nor updates and passes HUGE_VAL for both. */
void layer_times_end_round(struct layer_times *, double forward, double optimizer);

/* Adds peak_gflops, parts (sums per part of the model) and layers; false if memory is short. */
bool layer_times_describe(cJSON *json, const struct layer_times *);
void layer_times_print(const struct layer_times *);
#endif
