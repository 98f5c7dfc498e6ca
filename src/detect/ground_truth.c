#include "detect/ground_truth.h"

#include "detect/box.h"

bool ground_truth_ignores(const struct ground_truth *truth, const double box[4], double iof_thr)
{
    double region[4];
    for (int i = 0; iof_thr > 0 && i < truth->ignored; i++) {
        box_to_double(truth->ignore[i], region);
        if (box_iof(box, region) > iof_thr)
            return true;
    }
    return false;
}
