#include "model/as_network.h"

#include "data/sample.h"
#include "deploy/network_fold.h"
#include "deploy/network_match.h"
#include "deploy/network_of_graph.h"
#include "kernel/kernels.h"
#include <stdlib.h>

bool model_network(struct model *m, const real *values, struct network *net, struct error *err)
{
    const int *size = m->config->val.input_size;
    const struct graph_options options = { .n = 1, .h = padded_side(size[1]), .w = padded_side(size[0]), .separate = true };
    const struct team team = { 1 };
    const struct binding to = { .params = &m->params, .values = values, .team = &team,
                                .kernels = kernels_pick(getenv("NANODET_ISA"), err) };
    struct graph g = {0};
    *net = (struct network){0};
    bool ok = to.kernels && model_graph(m, &options, &g, err) && graph_bind(&g, &to, err);
    if (ok) {
        const struct view image = graph_view(&g, MODEL_INPUT);
        for (ptrdiff_t i = 0; i < pixels(image) * image.c; i++)
            image.p[i] = 0;
        graph_forward(&g, 0);                           /* for the weights that are computed from others */
        ok = network_of_graph(&g, "main", net, err);
    }
    graph_free(&g);
    net->classes = m->shape.num_classes;
    net->reg_max = m->shape.reg_max;
    net->input_h = options.h;
    net->input_w = options.w;
    for (int i = 0; i < m->shape.strides.count && i < LAYER_OPERANDS; i++)
        net->strides[i] = m->shape.strides.at[i];
    return ok;
}

/* In a network every matrix is the weight of a 1x1 convolution, and rows for the places of a map are that map: back to
 * the shape that the parameter has. */
static bool shape_as(const struct param *p, struct tensors *t, struct tensor *one, struct error *err)
{
    const size_t count = tensor_count(one), channels = (size_t)p->shape.c, places = (size_t)p->shape.n;
    const bool map = p->rank == 3 && one->rank == 4 && one->dims[1] == channels && count == channels * places;
    if (map) {
        const float *from = (const float *)(const void *)one->data;
        float *rows = tensors_block(t, count, sizeof *rows, err);
        if (!rows)
            return false;
        for (size_t i = 0; i < count; i++)
            rows[i % places * channels + i / places] = from[i];
        one->data = (const unsigned char *)rows;
    }
    if (map || (p->rank == 2 && one->rank == 4 && count == channels * places))
        one->rank = param_dims(p, one->dims);
    return true;
}

static bool shape_as_parameters(const struct params *params, struct tensors *t, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < t->count; i++) {
        const int index = params_find(params, t->list[i].name);
        ok = index < 0 || shape_as(&params->list[index], t, &t->list[i], err);
    }
    return ok;
}

bool model_match(struct model *m, struct network *theirs, const char *path, struct tensors *t, struct error *err)
{
    struct network own;
    const bool ok = model_network(m, m->params.value, &own, err) && network_fold(&own, err)
                 && network_fold(theirs, err) && network_match(&own, theirs, path, t, err)
                 && shape_as_parameters(&m->params, t, err);
    network_free(&own);
    return ok;
}
