#include "detect/distill.h"

#include "detect/focal.h"
#include "detect/prediction.h"
#include "kernel/kernels.h"
#include <math.h>

/* Divides logits by the temperature; writes their softmax to p and returns ln sum_j exp(x_j / T), computed from the
 * largest p, which is never 0. */
static double soften(const struct kernels *kernels, const float *x, int bins, double temperature, double *soft,
                     double *p)
{
    int top = 0;
    for (int j = 0; j < bins; j++)
        soft[j] = x[j] / temperature;
    kernels->softmax_double(1, bins, 1, soft, p);
    for (int j = 1; j < bins; j++)
        top = p[j] > p[top] ? j : top;
    return soft[top] - log(p[top]);
}

double distance_divergence(const struct kernels *kernels, const float *z, const float *t, int bins, double temperature,
                           double *slope)
{
    double x[REG_MAX_LIMIT + 1], y[REG_MAX_LIMIT + 1], q[REG_MAX_LIMIT + 1], p[REG_MAX_LIMIT + 1], sum = 0;
    const double of_x = soften(kernels, z, bins, temperature, x, q);
    const double of_y = soften(kernels, t, bins, temperature, y, p);
    for (int j = 0; j < bins; j++) {
        sum += p[j] * ((y[j] - of_y) - (x[j] - of_x));
        slope[j] = temperature * (q[j] - p[j]);
    }
    return temperature * temperature * sum;
}

static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

/* ln sigmoid(x) = x - softplus(x) and ln(1 - sigmoid(x)) = -softplus(x). */
double class_divergence(double z, double t, double temperature, double *slope)
{
    const double x = z / temperature, y = t / temperature, p = sigmoid(y);
    *slope = temperature * (sigmoid(x) - p);
    return temperature * temperature * (softplus(x) - softplus(y) + p * (y - x));
}

struct distill_job {
    const struct loss *loss;
    const struct distill_config *config;
    const float *pred, *teacher;
    struct distill_values scale;        /* the factor of each loss's sum */
    float *dpred;
};

static double distill_classes(const struct distill_job *k, const float *z, const float *t, float *dz)
{
    double sum = 0;
    for (int c = 0; c < k->loss->config.classes; c++) {
        double slope;
        if (!k->config->has_class[c])
            continue;
        sum += class_divergence(z[c], t[c], k->config->temperature, &slope);
        dz[c] += (float)(k->scale.classification * slope);
    }
    return sum;
}

static double distill_sides(const struct distill_job *k, double weight, const float *z, const float *t, float *dz)
{
    const int bins = k->loss->config.reg_max + 1;
    double sum = 0, slope[REG_MAX_LIMIT + 1];
    for (int i = 0; i < 4 * bins; i += bins) {
        sum += weight * distance_divergence(k->loss->kernels, z + i, t + i, bins, k->config->temperature, slope);
        for (int j = 0; j < bins; j++)
            dz[i + j] += (float)(k->scale.localization * weight * slope[j]);
    }
    return sum;
}

static void distill_line(const void *job, int index)
{
    const struct distill_job *k = job;
    const struct prior_grid *grid = &k->loss->grid;
    const struct prior_line line = prior_line_at(grid, index);
    const int classes = k->loss->config.classes, channels = prediction_channels(classes, k->loss->config.reg_max);
    struct loss_values sum = {0};
    for (int prior = line.first; prior < line.end; prior++) {
        const ptrdiff_t row = prior_row(grid, line.image, prior), at = row * channels;
        const float *z = k->pred + at, *t = k->teacher + at;
        if (k->loss->match[row] < 0)
            continue;
        if (k->scale.classification > 0)
            sum.qfl += distill_classes(k, z, t, k->dpred + at);
        if (k->scale.localization > 0)
            sum.dfl += distill_sides(k, top_probability(k->loss, z), z + classes, t + classes,
                                     k->dpred + at + classes);
    }
    k->loss->line[index] = sum;                 /* loss_gradient has read its own sums */
}

struct distill_values distill_gradient(struct loss *loss, const struct distill_config *config, enum loss_head head,
                                       const float *pred, const float *teacher, const struct loss_sums *sums,
                                       float *dpred)
{
    const double positives = fmax(sums->positives, 1);
    const double weight = fmax(sums->weight[head], criteria[loss->config.family].weight_min);
    const struct distill_values scale = { weight > 0 ? config->localization / (4 * weight) : 0,
                                          config->classification / positives };
    team_for(&loss->team, prior_line_count(&loss->grid), distill_line,
             &(struct distill_job){ loss, config, pred, teacher, scale, dpred });
    const struct loss_values total = loss_total(loss);
    return (struct distill_values){ total.dfl * scale.localization, total.qfl * scale.classification };
}
