#include "detect/nms.h"

#include "base/iou.h"
#include <math.h>
#include <stdlib.h>

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->box != y->box)
        return x->box < y->box ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* The IoU of two boxes shifted by `shift`, every step rounded to float. */
static float iou_shifted(const float p[4], const float q[4], float shift)
{
    float a[4], b[4];
    for (int i = 0; i < 4; i++) {
        a[i] = p[i] + shift;
        b[i] = q[i] + shift;
    }
    return box_iou_float(a, b);
}

int nms(struct scored *list, int count, const float (*box)[4], double iou_thr, bool class_agnostic, int max_kept)
{
    float largest = -INFINITY;
    int kept = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < 4; j++)
            largest = fmaxf(largest, box[list[i].box][j]);
    qsort(list, (size_t)count, sizeof *list, by_score);
    for (int i = 0; i < count && kept != max_kept; i++) {
        const struct scored s = list[i];
        const float shift = class_agnostic ? 0 : (float)s.label * (largest + 1);
        bool covered = false;
        for (int k = 0; k < kept && !covered; k++)
            covered = (class_agnostic || list[k].label == s.label)
                   && iou_shifted(box[list[k].box], box[s.box], shift) > iou_thr;
        if (!covered)
            list[kept++] = s;
    }
    return kept;
}
