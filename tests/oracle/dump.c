/* oracle_dump CONFIG predict|explain|train N H W SEED OUT [KEY=VALUE ...] -- runs a model on random numbers and writes
 * all inputs and outputs, for comparison by oracle.py.  `explain` and `train` run backward, too.
 *
 * OUT is a safetensors file: metadata `graph` (model/describe.h); before.NAME and after.NAME, the parameters before and
 * after; input and gradient.input (explain), [n, h, w, c]; output.NAME and seed.NAME, an output and its seed
 * gradient, [rows, c]; gradient.NAME of parameters (train). */
#include "base/memory.h"
#include "interop/safetensors.h"
#include "kernel/kernels.h"
#include "model/describe.h"
#include "model/model.h"
#include "op/ops.h"
#include "policy.h"
#include "trained.h"
#include "weights/weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dump {
    struct config config;
    struct model model;
    struct graph graph;
    struct tensors out;
    struct graph_options options;
    uint64_t seed;
    real *gradients;                    /* laid out as params.value */
};

/* Makes the run deterministic: all drop rates are 0. */
static void sober(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        struct node *n = &g->nodes[i];
        if (n->op == &op_dropout || n->op == &op_drop_path)
            *(struct drop_attr *)n->attr = (struct drop_attr){ 0 };
        if (n->op == &op_attention)
            ((struct attention_attr *)n->attr)->rate = 0;
    }
}

/* Comparisons use activations without kinks: near a kink, rounding decides between two valid gradients. */
static enum act without_kink(enum act act)
{
    switch (act) {
    case ACT_RELU: case ACT_LEAKY_RELU: case ACT_RELU6: case ACT_HARD_SWISH: return ACT_SILU;
    case ACT_HARD_SIGMOID: return ACT_SIGMOID;
    default: return act;
    }
}

static void smooth(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        struct node *n = &g->nodes[i];
        if (n->op->makes_deferred)
            ((struct norm_attr *)n->attr)->act = without_kink(norm_attr(n)->act);
        if (n->op == &op_act)
            ((struct act_attr *)n->attr)->act = without_kink(act_attr(n)->act);
    }
    for (value v = 0; v < g->value_count; v++)
        if (g->values[v].is_deferred)
            g->values[v].deferred.act = without_kink(g->values[v].deferred.act);
}

/* A copy of the view, under the name, as rows x c or n x h x w x c. */
static bool add_view(struct tensors *t, const char *prefix, const char *name, struct view v, int rank,
                     struct error *err)
{
    char full[200];
    real *copy = tensors_block(t, (size_t)(pixels(v) * v.c), sizeof *copy, err);
    snprintf(full, sizeof full, "%s%s", prefix, name);
    struct tensor tensor = { .name = full, .dtype = DTYPE_F32, .rank = rank, .data = (const unsigned char *)copy };
    const size_t dims[4] = { (size_t)v.n, (size_t)v.h, (size_t)v.w, (size_t)v.c };
    memcpy(tensor.dims, dims, sizeof dims);
    if (rank == 2) {
        tensor.dims[0] = (size_t)pixels(v);
        tensor.dims[1] = (size_t)v.c;
    }
    for (ptrdiff_t i = 0; copy && i < pixels(v); i++)
        memcpy(copy + i * v.c, v.p + i * v.ld, (size_t)v.c * sizeof *copy);
    return copy && tensors_add(t, &tensor, err);
}

/* The output, and a random gradient if one is wanted. */
static bool add_output(struct dump *d, const struct graph_output *output, struct random *random, struct error *err)
{
    const struct view dy = graph_gradient(&d->graph, output->v);
    for (ptrdiff_t k = 0; dy.p && k < pixels(dy); k++)
        fill_normal(dy.p + k * dy.ld, dy.c, random, 1);
    return add_view(&d->out, "output.", output->name, graph_view(&d->graph, output->v), 2, err)
        && (!dy.p || add_view(&d->out, "seed.", output->name, dy, 2, err));
}

/* Writes random numbers to the inputs of the graph and copies its outputs. */
static bool run(struct dump *d, struct error *err)
{
    struct params *params = &d->model.params;
    struct graph *g = &d->graph;
    struct random random = random_of(d->seed, 2, 0);
    const struct view input = graph_view(g, MODEL_INPUT);
    fill_normal(input.p, pixels(input) * input.c, &random, 1);
    bool ok = weights_to_tensors(params, params->value, "before.", &d->out, err)
           && add_view(&d->out, "", "input", input, 4, err);
    graph_forward(g, d->seed);
    for (int i = 0; ok && i < g->output_count; i++)
        ok = add_output(d, &g->outputs[i], &random, err);
    if (g->gradients)
        graph_backward(g, false);
    return ok && weights_to_tensors(params, params->value, "after.", &d->out, err)
        && (!d->options.input_gradient
            || add_view(&d->out, "gradient.", "input", graph_gradient(g, MODEL_INPUT), 4, err))
        && (!d->options.training || weights_to_tensors(params, d->gradients, "gradient.", &d->out, err));
}

static bool dump(struct dump *d, const char *path, struct error *err)
{
    const struct team team = { 2 };
    d->gradients = new_array((size_t)d->model.params.total, sizeof *d->gradients, err);
    model_start(&d->model);
    shake(&d->model.params, d->seed);
    const struct binding to = { .params = &d->model.params, .values = d->model.params.value,
                                .buffers = d->model.params.value, .gradients = d->gradients, .team = &team,
                                .kernels = kernels_under_test() };
    bool ok = d->gradients && to.kernels && settle(&d->model, d->options, &to, NULL, d->seed, err)
           && model_graph(&d->model, &d->options, &d->graph, err);
    sober(&d->graph);
    if (d->graph.gradients)
        smooth(&d->graph);
    ok = ok && graph_bind(&d->graph, &to, err) && run(d, err);
    cJSON *json = ok ? graph_describe(&d->graph, &d->model.params) : NULL;
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    ok = ok && (text || fail(err, "out of memory for the graph")) && tensors_add_metadata(&d->out, "graph", text, err)
      && safetensors_write(path, &d->out, err);
    cJSON_free(text);
    cJSON_Delete(json);
    return ok;
}

int main(int argc, char **argv)
{
    enum { CONFIG = 1, MODE, N, H, W, SEED, OUT, OVERRIDES };
    struct dump d = {0};
    struct error err = {0};
    if (argc < OVERRIDES) {
        fprintf(stderr, "usage: oracle_dump CONFIG predict|explain|train N H W SEED OUT [KEY=VALUE ...]\n");
        return 2;
    }
    d.seed = strtoull(argv[SEED], NULL, 10);
    d.options = (struct graph_options){ .n = atoi(argv[N]), .h = atoi(argv[H]), .w = atoi(argv[W]),
                                        .training = strcmp(argv[MODE], "train") == 0,
                                        .input_gradient = strcmp(argv[MODE], "explain") == 0 };
    const bool ok = config_read(&d.config, argv[CONFIG], (const char *const *)&argv[OVERRIDES], argc - OVERRIDES, &err)
                 && model_open(&d.model, &d.config, &err) && dump(&d, argv[OUT], &err);
    if (!ok)
        fprintf(stderr, "oracle_dump: %s\n", err.text);
    tensors_free(&d.out);
    graph_free(&d.graph);
    free(d.gradients);
    model_free(&d.model);
    config_free(&d.config);
    return ok ? 0 : err.exit;
}
