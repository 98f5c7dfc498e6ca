/* detect/distill.h -- distillation of a head from the predictions of a teacher for the same batch.
 *
 * With T the temperature, z and t the logits of student and teacher, v the positives of the assignment, w_v, S and N as
 * in loss.h:
 *
 *     localization    W / 4S sum_v w_v sum over four sides of T^2 KL(softmax(t / T) || softmax(z / T))
 *     classification  W / N  sum_v     sum over classes of    T^2 KL(B(t / T) || B(z / T))
 *
 * KL(P || Q) = sum_j P_j ln(P_j / Q_j); B(x) is the distribution (sigmoid(x), 1 - sigmoid(x)).  A class that the
 * teacher does not have is left out.  The factor T^2 keeps gradients at the scale of T = 1:
 *
 *     dT^2 KL(softmax(t / T) || softmax(z / T)) / dz_j = T (softmax(z / T)_j - softmax(t / T)_j)
 *     dT^2 KL(B(t / T) || B(z / T)) / dz               = T (sigmoid(z / T) - sigmoid(t / T))
 *
 * Sources: Zheng et al. 2022, "Localization Distillation for Dense Object Detection", eq. 3 and 4, on the main
 * distillation region, summed over bins; Hinton et al. 2015, "Distilling the Knowledge in a Neural Network". */
#ifndef DETECT_DISTILL_H
#define DETECT_DISTILL_H
#include "detect/loss.h"

struct distill_config {
    double localization, classification;    /* weights W >= 0; 0: no such loss */
    double temperature;                     /* T > 0 */
    const bool *has_class;                  /* [classes] the teacher has the class; borrowed */
};

struct distill_values { double localization, classification; };     /* weighted: the loss is their sum */

/* The divergence of the logits z of one side from the teacher's t, both [bins]; writes its derivatives to slope. */
double distance_divergence(const struct kernels *, const float *z, const float *t, int bins, double temperature,
                           double *slope);
/* The same for the logit z of one class. */
double class_divergence(double z, double t, double temperature, double *slope);

/* After loss_gradient of the head: adds the gradient of both losses to dpred.  teacher [rows][channels] are predictions
 * in the layout of the head; logits of classes that the teacher does not have are not read. */
struct distill_values distill_gradient(struct loss *, const struct distill_config *, enum loss_head, const float *pred,
                                       const float *teacher, const struct loss_sums *, float *dpred);
#endif
