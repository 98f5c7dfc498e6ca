#include "detect/focal.h"

#include <math.h>

double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* With d = p - y, dp/dx = p (1 - p) and dBCE/dx = d:
 *     dQFL/dx = |d|^beta d + beta |d|^(beta - 1) sign(d) p (1 - p) BCE;    0 where d = 0 */
double quality_focal(double x, double y, double beta, double *slope)
{
    const double e = exp(-fabs(x)), p = (x < 0 ? e : 1) / (1 + e), d = p - y;
    const double bce = fmax(x, 0) - x * y + log1p(e), modulation = beta == 2 ? d * d : pow(fabs(d), beta);
    if (slope)
        *slope = d == 0 ? 0 : modulation * d + beta * (modulation / d) * e / ((1 + e) * (1 + e)) * bce;
    return modulation * bce;
}

struct quality quality_of(double x, double y)
{
    const double e = exp(-fabs(x)), p = (x < 0 ? e : 1) / (1 + e), d = p - y, softplus = fmax(x, 0) + log1p(e);
    return (struct quality){ p * p * softplus, d * d * (softplus - x * y) };
}

/* ln P_j = x_j - total; total is computed from the largest P, which is never 0.
 *     dDFL/dx_j = P_j - (i + 1 - y) [j = i] - (y - i) [j = i + 1] */
double distribution_focal(const double *x, const double *p, int bins, double y, double *slope)
{
    const int i = (int)y;
    const double right = y - i, left = 1 - right;
    int top = 0;
    for (int j = 0; j < bins; j++) {
        top = p[j] > p[top] ? j : top;
        slope[j] = p[j];
    }
    slope[i] -= left;
    slope[i + 1] -= right;
    const double total = x[top] - log(p[top]);
    return left * (total - x[i]) + right * (total - x[i + 1]);
}

double integral(const double *p, int bins)
{
    double mean = 0;
    for (int j = 1; j < bins; j++)
        mean += j * p[j];
    return mean;
}
