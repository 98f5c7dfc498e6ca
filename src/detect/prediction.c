#include "detect/prediction.h"

#include "detect/box.h"
#include "detect/focal.h"
#include "kernel/kernels.h"

int prediction_channels(int classes, int reg_max)
{
    return classes + 4 * (reg_max + 1);
}

bool prediction_finite(const struct kernels *kernels, const struct prior_grid *grid, int image, const float *pred,
                       int channels)
{
    bool finite = true;
    for (int l = 0; l < grid->levels; l++)
        finite = finite && kernels->finite((ptrdiff_t)grid->h[l] * grid->w[l] * channels,
                                           pred + prior_row(grid, image, grid->first[l]) * channels);
    return finite;
}

void prediction_sides(const struct kernels *kernels, const float *sides, int reg_max, double *x, double *p,
                      double mean[4])
{
    const int bins = reg_max + 1;
    for (int i = 0; i < 4 * bins; i++)
        x[i] = sides[i];
    kernels->softmax_double(4, bins, 1, x, p);
    for (int i = 0; i < 4; i++)
        mean[i] = integral(p + i * bins, bins);
}

void prediction_box(const struct kernels *kernels, const float *sides, int reg_max, struct prior prior, double box[4])
{
    double x[4 * (REG_MAX_LIMIT + 1)], p[4 * (REG_MAX_LIMIT + 1)], distance[4];
    prediction_sides(kernels, sides, reg_max, x, p, distance);
    for (int i = 0; i < 4; i++)
        distance[i] *= prior.stride;
    box_from_distance(prior.x, prior.y, distance, box);
}
