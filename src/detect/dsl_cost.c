#include "detect/dsl_cost.h"

#include "detect/box.h"
#include "detect/focal.h"
#include <math.h>

double dsl_cost(const struct dsl_config *config, double background, double logit, double iou)
{
    const double iou_cost = -config->iou_factor * log(iou + 1e-7);
    if (iou == 0)
        return background + iou_cost;
    const struct quality q = quality_of(logit, iou);
    return background - q.absent + q.present + iou_cost;
}

double dsl_distance_cost(const struct dsl_config *config, const struct dsl_candidates *c, int v,
                         const double object[4])
{
    const double *a = c->box[v], *b = object;
    const double x = (a[0] + a[2] - b[0] - b[2]) / 2, y = (a[1] + a[3] - b[1] - b[3]) / 2;
    if (config->dis_alpha <= 0)
        return 0;
    return pow(config->dis_alpha, sqrt(x * x + y * y) / c->stride[v] - config->dis_beta);
}

double dsl_pair_cost(const struct dsl_config *config, const struct dsl_candidates *c, int v,
                     const struct ground_truth *truth, int g)
{
    double object[4];
    box_to_double(truth->box[g], object);
    const double cost = dsl_cost(config, c->background[v], c->logit[v][truth->label[g]], box_iou(c->box[v], object));
    return cost + dsl_distance_cost(config, c, v, object);
}
