/* tests/parity/models.h -- shared functions of the comparisons of whole models.  The line of a case shows the
 * tensor with the largest ratio of difference to tolerance, and its values. */
#ifndef TESTS_PARITY_MODELS_H
#define TESTS_PARITY_MODELS_H
#include "fixture.h"
#include "train/train_step.h"

struct tally { double ratio, worst, tolerance; char name[200]; int compared; };

struct model_case {
    const char *path;
    struct config config;
    struct model model;
    struct tensors weights, input, expected, steps;     /* steps: of the file being compared */
    cJSON *meta;
    float *pixel;                                       /* [n][h][w][3] */
    struct ground_truth *truth;
    int n, h, w, epoch;
    double largest_gradient;                            /* largest |sample| of all gradients */
    struct tally tally;
};

/* Compares `off` with the tolerance of group ("grad.*.norm"), or of name alone where `rules` overrides it. */
void tally_add(struct model_case *, const cJSON *rules, const char *name, const char *group, double off);

/* The digests of count numbers, as files order them, against `prefix`.norm, .sum and .sample of t, those that it has.
 * min_norm: of the denominators; group: "grad.*" */
struct digest { const float *x; size_t count; int samples; double min_norm; };
void tally_digest(struct model_case *, const cJSON *rules, struct tensors *t, const char *prefix, const char *group,
                  struct digest);

/* The tensors of a file of optimiser steps. */
bool compare_steps(struct model_case *, const char *file, const char *rules, struct error *);

/* The weights of the network that is deployed, where the case has digests of them. */
bool compare_deploy(struct model_case *, struct error *);

bool listed(const cJSON *names, const char *name);
float *param_numbers(const struct param *, const real *array);         /* in the order of files; free it */
bool open_train_step(struct model_case *, struct train_step *, struct error *);     /* with the case's weights */
struct input_batch case_images(const struct model_case *);
#endif
