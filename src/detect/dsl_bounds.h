/* detect/dsl_bounds.h -- searches that leave out pairs of candidates and objects which cannot change the result of the
 * dynamic soft label assigner.  They compare estimates in float, with bounds on the error of each estimate, and list a
 * superset of the pairs in question; the caller computes the exact costs of the listed pairs.  dsl_bounds.c proves the
 * bounds.  The assigner's results are therefore those of an exhaustive search. */
#ifndef DETECT_DSL_BOUNDS_H
#define DETECT_DSL_BOUNDS_H
#include "base/memory.h"
#include "detect/bottom_k.h"
#include "detect/dsl_cost.h"
#include "kernel/kernels.h"

struct dsl_bounds {
    const struct dsl_config *config;
    const struct dsl_candidates *candidates;
    const struct ground_truth *truth;
    double *floor, lowest_floor;        /* [count] a lower bound of the cost at an IoU of 1, and the lowest of these */
    int cheapest_apart;                 /* the candidate that costs least without overlap, whatever the object */
    float *iou_factor;                  /* [count] exp((floor(v) - lowest_floor) / iou_factor) */
    float *iou_error;                   /* [count] an estimated IoU exceeds the exact one by at most this */
    struct boxes *block, *bound;        /* the boxes in blocks of BOX_BLOCK, and the bounds of each block (kernels.h) */
    int blocks;
    int *candidate;                     /* [count] the candidate of each box in the blocks */
    /* The current search: */
    int g, k, count, next;              /* count and next are positions in list */
    double object[4], limit;
    int *list;                          /* [count] positions of boxes in the blocks */
    struct focal_terms pairs;           /* of the object and boxes: f is the cost, rest what does not depend on u */
};

/* Borrows everything passed to it, and dsl_bounds_bytes of tmp; false if tmp is too small. */
bool dsl_bounds_init(struct dsl_bounds *, const struct dsl_config *, const struct dsl_candidates *,
                     const struct ground_truth *, struct arena *tmp);
size_t dsl_bounds_bytes(int candidates);

/* An overlap (dsl_cost.h) without which candidate v costs more than `limit`; also for nwd > 0, with which the functions
 * below cannot be used. */
double dsl_bounds_overlap(const struct dsl_bounds *, int v, double limit);

/* Finds the largest IoUs with object g, exact, as -IoU.  Candidates without overlap may be missing. */
void dsl_bounds_largest_ious(struct dsl_bounds *, int g, struct bottom_k *);

/* Starts the search for the k cheapest candidates of the object of the last dsl_bounds_largest_ious, whose result is
 * `likely`.  Each call of next writes 1 to FOCAL_TERMS candidates to list and returns their number, 0 at the end.  The
 * calls together list all of the k cheapest, each candidate at most once.  cost_limit: a cost that the k cheapest do
 * not exceed, as far as the caller knows, else INFINITY. */
void dsl_bounds_start_cheapest(struct dsl_bounds *, int k, const struct bottom_k *likely);
int dsl_bounds_next_cheapest(struct dsl_bounds *, double cost_limit, int list[FOCAL_TERMS]);

/* Restricts the searches below to the candidates contested[count] with costs of at most cost[v]. */
void dsl_bounds_restrict(struct dsl_bounds *, const int *contested, int count, const double *cost);

/* Starts the search for contested candidates that cost at most cost[v] with object g; cost[v] may decrease meanwhile.
 * next: as above. */
void dsl_bounds_start_cheaper(struct dsl_bounds *, int g);
int dsl_bounds_next_cheaper(struct dsl_bounds *, const double *cost, int list[FOCAL_TERMS]);
#endif
