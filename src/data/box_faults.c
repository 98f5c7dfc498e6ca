#include "data/box_faults.h"

#include "base/iou.h"
#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const box_fault_texts[FAULT_KINDS] = {
    "equal to another box", "equal to a box of another class", "mostly outside of the image", "covers the whole image",
    "more than 20 times as long as wide" };

static bool is_seen(const struct annotation *a, const int *label)
{
    return label[a->category] >= 0 && !a->ignore && annotation_trains(a);
}

/* The fraction of the box that lies inside, and of the image that it covers. */
static void measure_inside(const struct image_record *image, const struct annotation *a, double *inside,
                           double *covered)
{
    double cut[4];
    memcpy(cut, a->box, sizeof cut);
    box_cut(cut, image->width, image->height);
    *inside = cut[2] * cut[3] / (a->box[2] * a->box[3]);
    *covered = cut[2] * cut[3] / ((double)image->width * image->height);
}

static bool covers_whole(const struct image_record *image, const struct annotation *a)
{
    double inside, covered;
    measure_inside(image, a, &inside, &covered);
    return covered >= 0.98;
}

static bool most_are_whole(const struct dataset *set, const int *label)
{
    int whole = 0, all = 0;
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        const struct image_record *image = &set->images[a->image];
        if (!is_seen(a, label) || !image->width)
            continue;
        all++;
        whole += covers_whole(image, a);
    }
    return 2 * whole > all;
}

/* FAULT_KINDS: none. */
static enum box_fault_kind fault_of(const struct dataset *set, const int *label, int index, bool whole_is_usual,
                                    int *other)
{
    static const double same = 0.9;
    const struct annotation *a = &set->annotations[index];
    const struct image_record *image = &set->images[a->image];
    double inside = 1, covered = 0;
    for (*other = image->first; *other < index; ++*other) {
        const struct annotation *b = &set->annotations[*other];
        if (is_seen(b, label) && sized_box_iou(a->box, b->box) >= same)
            return label[a->category] == label[b->category] ? FAULT_EQUAL : FAULT_TWO_CLASSES;
    }
    *other = -1;
    if (image->width && image->height)
        measure_inside(image, a, &inside, &covered);
    return inside < 0.5 ? FAULT_OUTSIDE
         : covered >= 0.98 && !whole_is_usual ? FAULT_WHOLE
         : fmax(a->box[2], a->box[3]) > 20 * fmin(a->box[2], a->box[3]) ? FAULT_THIN : FAULT_KINDS;
}

bool find_box_faults(struct box_faults *out, const struct dataset *set, const int *label, struct error *err)
{
    const bool whole_is_usual = most_are_whole(set, label);
    *out = (struct box_faults){0};
    for (int i = 0; i < set->annotation_count; i++) {
        int other;
        if (!is_seen(&set->annotations[i], label))
            continue;
        const enum box_fault_kind kind = fault_of(set, label, i, whole_is_usual, &other);
        if (kind == FAULT_KINDS)
            continue;
        if (!grow_array(&out->list, out->count, &out->capacity, sizeof *out->list, err))
            return false;
        out->list[out->count++] = (struct box_fault){ kind, i, other };
    }
    return true;
}

void box_faults_free(struct box_faults *f)
{
    free(f->list);
    *f = (struct box_faults){0};
}
