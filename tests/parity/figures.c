#include "figures.h"

#include "base/json.h"
#include <math.h>

double worse(double a, double b)
{
    return isnan(a) || b <= a ? a : b;
}

double number_off(const cJSON *want, double have)
{
    double v;
    return json_real(want, &v) ? fabs(v - have) : INFINITY;
}

double numbers_off(const cJSON *want, const double *have, int count)
{
    double worst = cJSON_GetArraySize(want) == count ? 0 : INFINITY;
    for (int i = 0; i < count; i++)
        worst = worse(worst, number_off(cJSON_GetArrayItem(want, i), have[i]));
    return worst;
}
