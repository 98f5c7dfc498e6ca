/* model/plans.h -- graphs ready to run for the kinds of batches met last.  They run one after another and share one
 * block of memory, and one copy of packed weights: those that are not trained differ in the size of batch and image. */
#ifndef MODEL_PLANS_H
#define MODEL_PLANS_H
#include "detect/loss.h"
#include "model/model.h"

enum { PLANS = 16 };                    /* kept ready */

struct plan {
    struct graph_options options;
    struct graph graph;
    struct graph *beside;               /* [plans.beside] */
    struct prior_grid grid;
    struct loss loss;                   /* of training graphs */
    long used;                          /* when it last was, in calls of plans_find */
};

struct plans {
    struct model *model;                /* borrowed, as is what `to` points to */
    struct binding to;
    const struct loss_config *criterion;        /* NULL: graphs without loss */
    int beside;                         /* 0, or set before the first call: graphs beside each, one a thread */
    struct plan *list; int count;
    void *block; size_t block_size;
    struct packed_weights packed_weights;
    long calls;
};

bool plans_init(struct plans *, struct model *, const struct binding *, const struct loss_config *, struct error *);
void plans_free(struct plans *);

/* The plan of these options, made if there is none; valid until the next call.  NULL and an error on failure. */
struct plan *plans_find(struct plans *, const struct graph_options *, struct error *);
#endif
