#include "detect/merge.h"

#include "detect/box.h"
#include <math.h>
#include <stdlib.h>

bool box_is_cut(const float box[4], const float view[4], struct image_size image)
{
    const int extent[2] = { image.width, image.height };
    bool cut = false;
    for (int axis = 0; axis < 2; axis++) {
        const float low = view[axis], high = view[axis + 2], margin = (high - low) * CUT_PERCENT / 100;
        cut = cut || (low > 1 && box[axis] <= low + margin)
           || (high < (float)extent[axis] - 1 && box[axis + 2] >= high - margin);
    }
    return cut;
}

/* A total order, so that the result does not depend on that of the passes. */
static int by_score(const void *a, const void *b)
{
    const struct detected *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    for (int i = 0; i < 4; i++)
        if (x->box[i] != y->box[i])
            return x->box[i] < y->box[i] ? -1 : 1;
    return 0;
}

/* Intersection over the area of the smaller box. */
static double iof_of_smaller(const float p[4], const float q[4])
{
    double a[4], b[4];
    box_to_double(p, a);
    box_to_double(q, b);
    return fmax(box_iof(a, b), box_iof(b, a));
}

int merge_passes(struct detected *list, int count, double threshold, bool class_agnostic, int max_kept)
{
    int kept = 0;
    qsort(list, (size_t)count, sizeof *list, by_score);
    for (int i = 0; i < count && kept < max_kept; i++) {
        const struct detected one = list[i];
        bool covered = false;
        for (int k = 0; k < kept && !covered; k++)
            covered = (class_agnostic || list[k].label == one.label)
                   && iof_of_smaller(list[k].box, one.box) > threshold;
        if (!covered)
            list[kept++] = one;
    }
    return kept;
}
