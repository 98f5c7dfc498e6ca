#include "runtime/cost.h"

#include "data/sample.h"
#include "model/criterion.h"
#include "op/ops.h"
#include "weights/fold.h"

static void count_params(struct cost *cost, const struct params *params, const struct inference *needs)
{
    for (int i = 0; i < params->count; i++)
        if (params->list[i].kind != PARAM_BUFFER) {
            cost->training_params += params->list[i].count;
            /* All but what only the auxiliary branch uses; what nothing uses is in official files too. */
            cost->inference_params += needs->needed[i] || !params->list[i].used ? params->list[i].count : 0;
        }
}

static bool beside_attention(const struct graph *g, const struct node *n)
{
    for (const struct node *m = g->nodes; m < g->nodes + g->node_count; m++)
        if (m->op == &op_attention && (m->operand[0] == n->result[0] || m->result[0] == n->operand[0]))
            return true;
    return false;
}

/* A convolution by a parameter: a product with a kernel that was computed is not one of the original's layers, nor are
 * the projections of an attention, which it counts as part of that. */
static bool is_conv_layer(const struct graph *g, const struct node *n)
{
    return n->op == &op_conv && g->values[n->operand[1]].param >= 0 && !beside_attention(g, n);
}

bool model_cost(struct cost *cost, struct model *model, struct error *err)
{
    const int w = padded_side(model->config->val.input_size[0]), h = padded_side(model->config->val.input_size[1]);
    struct inference needs = {0};
    struct prior_grid grid;
    struct graph g = {0};
    *cost = (struct cost){ .h = h, .w = w, .channels = model->shape.num_classes + 4 * (model->shape.reg_max + 1) };
    const bool ok = model_graph(model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &g, err)
                 && inference_of(&needs, model, err) && criterion_grid(model, 1, h, w, &grid, err);
    for (int i = 0; ok && i < g.node_count; i++)
        if (is_conv_layer(&g, &g.nodes[i]))
            cost->conv_macs += g.nodes[i].op->macs(&g.nodes[i]);
    if (ok) {
        count_params(cost, &model->params, &needs);
        cost->priors = prior_count(&grid);
    }
    inference_free(&needs);
    graph_free(&g);
    return ok;
}
