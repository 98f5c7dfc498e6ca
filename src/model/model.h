/* model/model.h -- a detector as the configuration describes it: its parameters, and graphs that compute with them. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H
#include "config/config.h"
#include "graph/graph.h"
#include "model/registry.h"
#include "op/policy.h"

struct model {
    struct config *config;                      /* borrowed */
    const struct backbone *backbone; void *backbone_config;
    const struct neck *neck;         void *neck_config;
    const struct head *head;         void *head_config;
    const struct head *aux_head;     void *aux_config;  /* NULL: no assign guidance module */
    struct head_config shape;                   /* of the head: classes, reg_max, strides */
    const char *pretrain_key;                   /* of the backbone: "pretrain" or "pretrained" */
    const char *pretrain;                       /* its value: a file of weights to start from, true, false or "" */
    struct params params;
    bool branches;                              /* it has branches that can be merged (weights/merge.h) */
    bool merged;                                /* the branches are merged; no auxiliary branch */
};

/* Reads the sections of the configuration and declares every parameter; all are 0.  Exit 2 names the key or layer that
 * does not fit. */
bool model_open(struct model *, struct config *, struct error *);
/* The same with a convolution for each block of branches, to be filled: model_merge does. */
bool model_open_merged(struct model *, struct config *, struct error *);
void model_free(struct model *);

/* Gives every parameter its first value: random numbers of config->seed, the auxiliary neck a copy of the neck. */
void model_start(struct model *);

struct graph_options {
    int n, h, w;                                /* batch and input size */
    bool training;                              /* batch statistics, gradients, and the auxiliary branch if any */
    bool input_gradient;                             /* evaluation with gradients of the image */
    bool unfolding;                             /* training: forward unfolds norms instead of moving statistics */
    bool detached;                              /* the auxiliary branch reads features without gradient */
    bool unfused, separate;                     /* for tests: no deferred values; no shared memory */
    const struct policy *policy;                /* of the kernels that it will be bound to; NULL: any kernels, and the
                                                   layers are those of the model one by one */
};

/* A graph with the input 0, [n][h][w][3], and the outputs "main" and, where it trains with one, "aux": rows
 * [level][image][y][x].  Exit 2 if the sizes do not suit. */
bool model_graph(struct model *, const struct graph_options *, struct graph *, struct error *);
enum { MODEL_INPUT = 0 };
#endif
