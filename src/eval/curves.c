#include "eval/curves.h"

#include "base/memory.h"
#include "base/min_max.h"
#include <math.h>
#include <stdlib.h>

const char *curve_name(enum curve_kind kind)
{
    static const char *const names[CURVE_KINDS] = { "precision", "recall", "F1" };
    return names[kind];
}

/* The number of thresholds that a score exceeds. */
static int thresholds_below(double score)
{
    int n = score > 0 ? (int)fmin(score * CURVE_POINTS, CURVE_POINTS) : 0;
    while (n > 0 && !(score > curve_threshold(n - 1)))
        n--;
    while (n < CURVE_POINTS && score > curve_threshold(n))
        n++;
    return n;
}

/* Detections of a class by the number of thresholds that they exceed. */
struct histogram { int right[CURVE_POINTS + 1], wrong[CURVE_POINTS + 1]; };

static void fill_curve(struct curve *c, const struct histogram *h, int objects)
{
    int right = 0, wrong = 0;
    for (int i = CURVE_POINTS - 1; i >= 0; i--) {
        right += h->right[i + 1];
        wrong += h->wrong[i + 1];
        c->of[CURVE_PRECISION][i] = right + wrong ? (double)right / (right + wrong) : -1;
        c->of[CURVE_RECALL][i] = objects ? (double)right / objects : -1;
        c->of[CURVE_F1][i] = objects ? 2.0 * right / (objects + right + wrong) : -1;
    }
}

static struct best_point best_of(const struct curve *c)
{
    const double *f1 = c->of[CURVE_F1];
    int best = 0, last;
    for (int i = 1; i < CURVE_POINTS; i++)
        if (f1[i] > f1[best])
            best = i;
    if (!(f1[best] > 0))
        return (struct best_point){ -1, { -1, -1, -1 } };
    for (last = best; last + 1 < CURVE_POINTS && f1[last + 1] == f1[best]; last++)
        ;
    const int middle = (best + last) / 2;
    struct best_point point = { .threshold = curve_threshold(middle) };
    for (int kind = 0; kind < CURVE_KINDS; kind++)
        point.of[kind] = c->of[kind][middle];
    return point;
}

static double mean_at(const struct curves *c, int kind, int point)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < c->class_count; i++) {
        const double value = c->classes[i].curve.of[kind][point];
        if (c->classes[i].objects && value >= 0) {
            sum += value;
            count++;
        }
    }
    return count ? sum / count : -1;
}

/* Counts all classes in one pass over the detections. */
static void count_detections(struct histogram *classes, const struct detections *dets, const struct outcomes *outcomes)
{
    for (int i = 0; i < dets->count; i++) {
        const struct outcome *o = &outcomes->list[i];
        const int n = thresholds_below(dets->list[i].score);
        if (!o->ignored) {
            struct histogram *h = &classes[dets->list[i].category];
            (o->object >= 0 ? h->right : h->wrong)[n]++;
        }
    }
}

bool curves_find(struct curves *c, const struct dataset *gt, const struct detections *dets,
                 const struct outcomes *outcomes, struct error *err)
{
    const size_t classes = (size_t)gt->category_count;
    struct histogram *counts = NULL;
    *c = (struct curves){ .class_count = gt->category_count };
    const bool ok = (c->classes = new_array(classes, sizeof *c->classes, err))
                 && (counts = new_array(classes, sizeof *counts, err));
    if (ok)
        count_detections(counts, dets, outcomes);
    for (int i = 0; ok && i < gt->annotation_count; i++)
        c->classes[gt->annotations[i].category].objects += !gt->annotations[i].crowd;
    for (int i = 0; ok && i < c->class_count; i++) {
        fill_curve(&c->classes[i].curve, &counts[i], c->classes[i].objects);
        c->classes[i].best = best_of(&c->classes[i].curve);
    }
    for (int i = 0; ok && i < CURVE_POINTS; i++)
        for (int kind = 0; kind < CURVE_KINDS; kind++)
            c->mean.of[kind][i] = mean_at(c, kind, i);
    if (ok)
        c->best = best_of(&c->mean);
    free(counts);
    return ok;
}

void curves_free(struct curves *c)
{
    free(c->classes);
    *c = (struct curves){0};
}

struct calibration calibration_of(const struct detections *dets, const struct outcomes *outcomes)
{
    struct calibration c = { .error = -1 };
    int all = 0;
    double sum = 0;
    for (int i = 0; i < dets->count; i++) {
        const double score = fmin(fmax(dets->list[i].score, 0), 1);
        struct calibration_bin *b = &c.bins[min_int((int)(score * CALIBRATION_BINS), CALIBRATION_BINS - 1)];
        if (outcomes->list[i].ignored)
            continue;
        b->count++;
        b->score += score;
        b->right += outcomes->list[i].object >= 0;
        all++;
    }
    for (struct calibration_bin *b = c.bins; b < c.bins + CALIBRATION_BINS; b++) {
        sum += fabs(b->score - b->right);
        b->score = b->count ? b->score / b->count : -1;
        b->right = b->count ? b->right / b->count : -1;
    }
    if (all)
        c.error = sum / all;
    return c;
}
