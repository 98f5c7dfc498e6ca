/* train/train_step.h -- one training step: a model, its optimizer, and graphs for the sizes of its batches. */
#ifndef TRAIN_TRAIN_STEP_H
#define TRAIN_TRAIN_STEP_H
#include "detect/distill.h"
#include "train/optimizer.h"
#include "train/predictor.h"
#include "train/teacher.h"

struct input_batch {                    /* the network's input and its ground truth; borrowed */
    const float *pixel;                 /* [n][h][w][3], normalised */
    int n, h, w;
    const struct ground_truth *ground_truth;   /* [n] */
};

struct losses {
    struct loss_values head[LOSS_HEADS];
    struct distill_values distill;              /* of the main head */
    bool aux;
};
double losses_total(const struct losses *);

struct train_step {
    struct model *model;                /* borrowed */
    struct policy policy;
    struct team team;
    struct loss_config criterion;
    struct optimizer optimizer;
    struct teacher teacher;             /* {0} if neither the guide nor the distillation needs one */
    struct string_list notes;           /* about the teacher's weights, for a log */
    struct shared_block block;          /* of all graphs below */
    struct graph_cache cache;
    struct predictor average;           /* open if model.guide is average */
    struct predictor taught;            /* the teacher's predictions */
    int batches;                        /* forward passes since the last update */
};

/* Opens the teacher if the configuration has one. */
bool train_step_init(struct train_step *, struct model *, const struct policy *, struct error *);
void train_step_free(struct train_step *);

/* Gives batch norms that were folded into their convolutions, as in ONNX and ncnn files, the statistics of the batch,
 * without changing what the network computes; the average of the weights starts again.  Other norms, and norms that are
 * frozen, do not change.  A second call does nothing. */
bool train_step_unfold_norms(struct train_step *, const struct input_batch *, struct error *);

/* Computes the predictions of the guide and of the teacher, the forward pass, the assignment, the losses and the
 * gradients of the outputs.  epoch, from 0, decides if the auxiliary branch is detached.  *used is the graph that ran:
 * its loss contains the assignment, its graph the outputs, until graph_backward(&used->graph, accumulate) sets the
 * gradient or adds to it.  Fails if a prediction is not finite, naming the first layer with such an output. */
bool train_step_forward(struct train_step *, const struct input_batch *, int epoch, struct losses *,
                        struct cached_graph **used, struct error *);

/* Clips the gradient, updates the parameters and their average; *norm is that of the gradient before clipping.  Fails
 * without changing anything if the gradient is not finite, naming a parameter. */
bool train_step_update(struct train_step *, double *norm, struct error *);
#endif
