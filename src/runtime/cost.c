#include "runtime/cost.h"

#include "data/sample.h"
#include "model/criterion.h"
#include "op/ops.h"
#include "weights/fold.h"

static void count_params(struct cost *cost, const struct params *params, const struct inference *inference)
{
    for (int i = 0; i < params->count; i++)
        if (params->list[i].kind != PARAM_BUFFER) {
            cost->training_params += params->list[i].count;
            /* Parameters of the auxiliary branch do not count.  Unused parameters do: official files contain them. */
            cost->inference_params += inference->needed[i] || !params->list[i].used ? params->list[i].count : 0;
        }
}

/* A projection before or behind an attention. */
static bool is_attention_projection(const struct graph *g, const struct node *n)
{
    for (const struct node *m = g->nodes; m < g->nodes + g->node_count; m++)
        if (m->op == &op_attention && (m->operand[0] == n->result[0] || m->result[0] == n->operand[0]))
            return true;
    return false;
}

/* A convolution with a parameter as its weight.  The original's count excludes products with a computed kernel, and the
 * projections of an attention, which belong to the attention. */
static bool is_conv_layer(const struct graph *g, const struct node *n)
{
    return n->op == &op_conv && g->values[n->operand[1]].param >= 0 && !is_attention_projection(g, n);
}

bool model_cost(struct cost *cost, struct model *model, struct error *err)
{
    const int w = padded_side(model->config->val.input_size[0]), h = padded_side(model->config->val.input_size[1]);
    struct inference inference = {0};
    struct prior_grid grid;
    struct graph g = {0};
    *cost = (struct cost){ .h = h, .w = w, .channels = model->shape.num_classes + 4 * (model->shape.reg_max + 1) };
    const bool ok = model_graph(model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &g, err)
                 && inference_of(&inference, model, err) && criterion_grid(model, 1, h, w, &grid, err);
    for (int i = 0; ok && i < g.node_count; i++)
        if (is_conv_layer(&g, &g.nodes[i]))
            cost->conv_macs += g.nodes[i].op->macs(&g.nodes[i]);
    if (ok) {
        count_params(cost, &model->params, &inference);
        cost->priors = prior_count(&grid);
    }
    inference_free(&inference);
    graph_free(&g);
    return ok;
}
