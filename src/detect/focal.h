/* detect/focal.h -- generalised focal loss (Li et al. 2020, "Generalized Focal Loss"), term by term.  Functions write
 * derivatives by the logits to slope. */
#ifndef DETECT_FOCAL_H
#define DETECT_FOCAL_H

double sigmoid(double x);

/* Quality focal loss of one logit x whose target is y in [0, 1] (eq. 4, beta >= 0).  With p = sigmoid(x):
 *     QFL = |y - p|^beta BCE(p, y),    BCE(p, y) = -y ln p - (1 - y) ln(1 - p)
 * At y = p the derivative is 0, for any beta.  slope may be NULL. */
double quality_focal(double x, double y, double beta, double *slope);

/* For beta = 2: the losses of a logit for target 0 (absent) and for target y (present), sharing one exponential. */
struct quality { double absent, present; };
struct quality quality_of(double x, double y);

/* Distribution focal loss of the logits x[0 .. bins-1] of one side with target y in [0, bins - 1) (eq. 6).  p is
 * P = softmax(x); i = floor(y):
 *     DFL = -(i + 1 - y) ln P_i - (y - i) ln P_{i+1} */
double distribution_focal(const double *x, const double *p, int bins, double y, double *slope);

/* The expectation E = sum_j j P_j, a side's predicted distance (eq. 5).  dE/dx_j = P_j (j - E). */
double integral(const double *p, int bins);
#endif
