#include "detect/prediction.h"

#include "detect/box.h"
#include "detect/focal.h"
#include <math.h>

int prediction_channels(int classes, int reg_max)
{
    return classes + 4 * (reg_max + 1);
}

bool prediction_finite(const float *row, int channels)
{
    for (int i = 0; i < channels; i++)
        if (!isfinite(row[i]))
            return false;
    return true;
}

void prediction_box(const float *sides, int reg_max, struct prior prior, double box[4])
{
    double x[REG_MAX_LIMIT + 1], slope[REG_MAX_LIMIT + 1], distance[4];
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j <= reg_max; j++)
            x[j] = *sides++;
        distance[i] = prior.stride * integral(x, reg_max + 1, slope);
    }
    box_from_distance(prior.x, prior.y, distance, box);
}
