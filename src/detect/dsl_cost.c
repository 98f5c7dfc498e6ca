#include "detect/dsl_cost.h"

#include "detect/box.h"
#include "detect/focal.h"
#include <math.h>

static double wasserstein_similarity(const double a[4], const double b[4], double scale)
{
    const double x = (a[0] + a[2] - b[0] - b[2]) / 2, y = (a[1] + a[3] - b[1] - b[3]) / 2;
    const double w = (a[2] - a[0] - b[2] + b[0]) / 2, h = (a[3] - a[1] - b[3] + b[1]) / 2;
    return exp(-sqrt(x * x + y * y + w * w + h * h) / scale);
}

double dsl_overlap(const struct dsl_config *config, double iou, const double box[4], const double object[4])
{
    const double weight = config->nwd;
    return weight > 0 ? (1 - weight) * iou + weight * wasserstein_similarity(box, object, config->nwd_scale) : iou;
}

double dsl_cost(const struct dsl_config *config, double background, double logit, double iou, double overlap)
{
    const double iou_cost = -config->iou_factor * log(overlap + 1e-7);
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
    const double iou = box_iou(c->box[v], object);
    const double overlap = dsl_overlap(config, iou, c->box[v], object);
    const double cost = dsl_cost(config, c->background[v], c->logit[v][truth->label[g]], iou, overlap);
    return cost + dsl_distance_cost(config, c, v, object);
}
