#include "model/model_network.h"

#include "data/sample.h"
#include "deploy/export_network.h"

bool model_export_network(struct model *m, const real *values, struct network *net, struct error *err)
{
    const int *size = m->config->val.input_size;
    const struct graph_options options = { .n = 1, .h = padded_side(size[1]), .w = padded_side(size[0]),
                                           .separate = true };
    const struct team team = { 1 };
    const struct binding to = { .params = &m->params, .values = values, .team = &team };        /* it does not run */
    struct graph g = {0};
    *net = (struct network){0};
    const bool ok = model_graph(m, &options, &g, err) && graph_bind(&g, &to, err)
                 && export_network(&g, "main", net, err);
    graph_free(&g);
    net->classes = m->shape.num_classes;
    net->reg_max = m->shape.reg_max;
    net->input_h = options.h;
    net->input_w = options.w;
    for (int i = 0; i < m->shape.strides.count && i < LAYER_OPERANDS; i++)
        net->strides[i] = m->shape.strides.at[i];
    return ok;
}
