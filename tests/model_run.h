/* tests/model_run.h -- one run of a model's graph, forward and, in training, backward; comparison with another run. */
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H
#include "small_model.h"
#include "tables.h"
#include <inttypes.h>
#include <stdio.h>

struct variant {
    const char *name;
    struct graph_options options;
    bool plain;                         /* the plain table instead of the one under test */
    bool direct;
    int threads;
    bool quiet_aux;                     /* the auxiliary output's gradient is 0 */
};

enum { OUTPUTS = 2 };

struct result {
    float *output[OUTPUTS], *gradient, *values;         /* values: of the parameters, after the run */
    ptrdiff_t count[OUTPUTS];
    int outputs;
    size_t block, bound;
};

static inline void free_result(struct result *r)
{
    free(r->output[0]);
    free(r->output[1]);
    free(r->gradient);
    free(r->values);
}

static inline struct result run(const struct fixture *f, const struct variant *v)
{
    const struct params *params = &f->model.params;
    const struct team team = { v->threads ? v->threads : 1 };
    struct model model = f->model;
    struct graph_options options = v->options;
    struct result r = { .gradient = calloc((size_t)params->trained, sizeof(float)),
                        .values = malloc((size_t)params->total * sizeof(float)) };
    struct graph g = {0};
    struct error err = {0};
    options.n = options.n ? options.n : 2;
    options.h = options.h ? options.h : 128;
    options.w = options.w ? options.w : 160;
    memcpy(r.values, params->value, (size_t)params->total * sizeof(float));
    const struct policy direct = { v->plain ? plain_table() : table_under_test(), .direct = true };
    const struct binding to = { .params = params, .values = r.values, .buffers = r.values, .gradients = r.gradient,
                                .team = &team, .kernels = direct.kernels };
    if (v->direct)
        options.policy = &direct;
    if (!model_graph(&model, &options, &g, &err) || !graph_bind(&g, &to, &err))
        fail_msg("%s: %s", v->name, err.text);
    r.block = g.block_size;
    r.bound = g.bound;
    fill(graph_view(&g, MODEL_INPUT).p, (ptrdiff_t)options.n * options.h * options.w * 3, 1, 1);
    graph_forward(&g, 0);
    for (r.outputs = 0; r.outputs < g.output_count; r.outputs++) {
        const struct view y = graph_view(&g, g.outputs[r.outputs].v);
        const size_t bytes = (size_t)(r.count[r.outputs] = pixels(y) * y.c) * sizeof(float);
        r.output[r.outputs] = malloc(bytes);
        memcpy(r.output[r.outputs], y.p, bytes);
        if (options.training)
            fill(graph_gradient(&g, g.outputs[r.outputs].v).p, pixels(y) * y.c, r.outputs && v->quiet_aux ? 0 : 1, 2);
    }
    if (options.training)
        graph_backward(&g, false);
    graph_free(&g);
    return r;
}

/* Outputs and statistics within the tolerance, gradients of parameters within theirs. */
static inline bool compare(const struct fixture *f, const struct variant *v, const struct result *want,
                           double tolerance, double of_gradients)
{
    struct result got = run(f, v);
    const struct params *params = &f->model.params;
    const char *where = "";
    bool ok = got.outputs == want->outputs;
    for (int i = 0; ok && i < got.outputs; i++) {
        const double off = distance(got.output[i], want->output[i], got.count[i], 0);
        ok = got.count[i] == want->count[i] && off <= tolerance;
        if (!ok)
            printf("FAIL %s: output %d is %.3g off, %.3g allowed; SEED=%" PRIu64 "\n", v->name, i, off, tolerance,
                   seed());
    }
    const double values = distance(got.values, want->values, params->total, 0);
    const double gradient = gradient_distance(params, got.gradient, want->gradient, "", &where);
    if (!(values <= tolerance && gradient <= of_gradients)) {
        printf("FAIL %s: gradient of %s is %.3g off, %.3g allowed; statistics %.3g, %.3g allowed; SEED=%" PRIu64 "\n",
               v->name, where, gradient, of_gradients, values, tolerance, seed());
        ok = false;
    }
    free_result(&got);
    return ok;
}
#endif
