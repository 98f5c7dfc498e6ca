/* cli/bench_layers.h -- where the time of a round goes: a row a layer, and sums a part of the model.
 *
 * Times are those of the best round, of each layer for itself: other programs do not disturb them all at once.
 * Arithmetic is that of the layer's definition, two operations a multiply-add, whatever the way it is computed
 * (Winograd's transforms may pass the peak); backward counts once for each of input and weight that has a gradient.
 * Bytes are the least: operands read once, results written once, nothing for what is a view of something else.
 * The peak is what fused multiply-adds on matrices in the first level cache reach on all threads, measured after each
 * round. */
#ifndef CLI_BENCH_LAYERS_H
#define CLI_BENCH_LAYERS_H
#include "base/json.h"
#include "graph/graph.h"

struct layers {                                 /* {0}: nothing is measured, all but layers_open do nothing */
    struct graph *graph;                        /* borrowed */
    int runs;                                   /* of the graph in a round */
    double *seconds[2], *least[2];              /* [pass][node] of this round, and of the best one */
    double losses, optimizer;                   /* seconds of the best round; HUGE_VAL where there are none */
    double peak;                                /* operations a second */
};

/* From now on the graph's layers are timed; it runs so many times a round. */
bool layers_open(struct layers *, struct graph *, int runs, struct error *);
void layers_free(struct layers *);

/* After a round of training that took so many seconds forward, losses included, and in the optimizer; HUGE_VAL for
 * both where nothing was trained. */
void layers_keep(struct layers *, double forward, double optimizer);

bool layers_describe(cJSON *to, const struct layers *);     /* adds peak_gflops, parts and layers */
void layers_print(const struct layers *);
#endif
