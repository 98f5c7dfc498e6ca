/* tests/trained.h -- pseudo-trained weights of a model, from a seed: every path of the network carries signals of
 * moderate size. */
#ifndef TESTS_TRAINED_H
#define TESTS_TRAINED_H
#include "base/random.h"
#include "model/model.h"
#include <math.h>

static inline void fill_normal(real *p, ptrdiff_t count, struct random *random, double deviation)
{
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (real)(deviation * random_normal(random));
}

static inline void shake(struct params *params, uint64_t seed)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        struct random random = random_of(seed, 1, (uint64_t)i);
        if (p->rank >= 2)
            fill_normal(params->value + p->offset, p->count, &random, 1 / sqrt((double)p->count / p->shape.n));
        for (ptrdiff_t k = p->offset; p->rank < 2 && k < p->offset + p->count; k++)
            params->value[k] += (real)random_range(&random, -0.3, 0.3);
    }
}

/* Running statistics of what the weights make of random numbers, added to a batch of images if there is one. */
static inline bool settle(struct model *m, struct graph_options options, const struct binding *to, const float *image,
                          uint64_t seed, struct error *err)
{
    enum { STEPS = 20 };
    struct graph g = {0};
    struct random random = random_of(seed, 3, 0);
    options.training = true;
    options.input_gradient = false;
    const bool ok = model_graph(m, &options, &g, err) && graph_bind(&g, to, err);
    for (int i = 0; ok && i < STEPS; i++) {
        const struct view input = graph_view(&g, MODEL_INPUT);
        fill_normal(input.p, pixels(input) * input.c, &random, 1);
        for (ptrdiff_t k = 0; image && k < pixels(input) * input.c; k++)
            input.p[k] += image[k];
        graph_forward(&g, seed);
    }
    graph_free(&g);
    return ok;
}
#endif
