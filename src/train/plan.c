#include "train/plan.h"

#include "base/memory.h"
#include "base/min_max.h"
#include "base/sort.h"
#include "base/strbuf.h"
#include "data/loader.h"
#include "train/advice.h"
#include <math.h>
#include <stdlib.h>

enum { INPUT_MIN = 128, INPUT_MAX = 416, GRID = 32, CROP_FACTOR = 2, NIGHT = 8 * 3600 };
static const double small_object = 12;          /* pixels at the input */

/* ---- facts ---- */

static bool is_in(const struct subset *s, int image) { return !s->member || s->member[image]; }

static double megabytes_of(const struct subset *s, int *images)
{
    double bytes = 0;
    *images = 0;
    for (int i = 0; i < s->set->image_count; i++)
        if (is_in(s, i)) {
            bytes += 3.0 * s->set->images[i].width * s->set->images[i].height;
            ++*images;
        }
    return bytes / 0x1p20;
}

static double quantile(double *values, int count, double fraction)
{
    sort_doubles(values, count);
    return count ? values[(int)(fraction * (count - 1))] : 0;
}

static double median_side(const struct subset *s, bool height, double *values)
{
    int count = 0;
    for (int i = 0; i < s->set->image_count; i++) {
        const struct image_record *image = &s->set->images[i];
        if (is_in(s, i) && image->width && image->height)
            values[count++] = height ? image->height : image->width;
    }
    return quantile(values, count, 0.5);
}

static double object_size(const struct subset *s, const int *label, double *values)
{
    const struct dataset *set = s->set;
    int count = 0;
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        const struct image_record *image = &set->images[a->image];
        const double area = (double)image->width * image->height;
        if (is_in(s, a->image) && label[a->category] >= 0 && annotation_trains(a) && !a->ignore && area > 0)
            values[count++] = sqrt(a->box[2] * a->box[3] / area);
    }
    return quantile(values, count, 0.25);
}

static double fraction_of_jpegs(const struct subset *s, int images)
{
    int jpegs = 0;
    for (int i = 0; i < s->set->image_count; i++) {
        const char *file = s->set->images[i].file;
        jpegs += is_in(s, i) && !ends_with(file, ".png") && !ends_with(file, ".PNG");
    }
    return (double)jpegs / max_int(images, 1);
}

bool facts_of(struct set_facts *f, const struct subset *training, const int *label, const struct subset *validation,
              struct error *err)
{
    const int most = max_int(training->set->image_count, training->set->annotation_count);
    double *values = new_array((size_t)most, sizeof *values, err);
    if (!values)
        return false;
    *f = (struct set_facts){ .width = median_side(training, false, values),
                             .height = median_side(training, true, values),
                             .object = object_size(training, label, values) };
    f->megabytes = megabytes_of(training, &f->images);
    f->val_megabytes = megabytes_of(validation, &f->val_images);
    f->jpegs = fraction_of_jpegs(training, f->images);
    free(values);
    return true;
}

/* ---- choices ---- */

static int on_grid(double side) { return max_int(GRID * (int)rint(side / GRID), GRID); }

/* Both sides of an input of the area size x size. */
static void set_input(int input[2], const struct set_facts *f, double size)
{
    const double ratio = f->height > 0 ? f->width / f->height : 1;
    const double stretch = ratio > 1.2 || ratio < 1 / 1.2 ? sqrt(fmin(fmax(ratio, 1.0 / 3), 3)) : 1;
    input[0] = on_grid(size * stretch);
    input[1] = on_grid(size / stretch);
}

static void choose_input(struct plan *p)
{
    static const int sizes[] = { 320, INPUT_MAX };
    const struct set_facts *f = &p->facts;
    const double whole = sqrt(f->width * f->height);            /* larger shows no more */
    double size = sizes[0];
    p->small = size * f->object < small_object;
    if (p->small)
        size = sizes[1];
    p->crops = size * f->object < small_object && whole > 1.25 * size;
    size = fmin(size, fmax(INPUT_MIN, GRID * ceil(whole / GRID)));
    set_input(p->input, f, size);
    set_input(p->val_input, f, p->crops ? fmin(CROP_FACTOR * size, GRID * ceil(whole / GRID)) : size);
}

/* The number of epochs in steps of ten. */
static int epochs_for(int images, double samples, int min, int max)
{
    return 10 * (int)rint(fmin(fmax(samples / images, min), max) / 10);
}

static void set_epochs_of(struct plan *p, int epochs)
{
    const int steps = max_int(loader_steps(p->facts.images, p->batch, true), 1);
    p->epochs = epochs;
    p->val_intervals = max_int(epochs / 10, 1);
    p->warmup = min_int(max_int((int)((double)steps * epochs / 25), 1), 500);
    p->log_interval = min_int(steps, 50);
}

void plan_choose(struct plan *p, const struct set_facts *facts, bool pretrained, uint64_t memory, int max_batch)
{
    enum { BATCH = 16, BATCH_MIN = 4 };
    *p = (struct plan){ .facts = *facts, .pretrained = pretrained };
    const int n = max_int(facts->images, 1), suited = min_int(max_int(n / 8, BATCH_MIN), BATCH);
    choose_input(p);
    p->batch = batch_up_to(n, min_int(suited, max_batch));
    p->lr = 1e-5 * rint(1e5 * 0.001 * sqrt((double)p->batch / BATCH));
    set_epochs_of(p, pretrained ? epochs_for(n, 8000, 30, 100) : epochs_for(n, 40000, 100, 300));
    const double room = (double)memory / 0x1p20 / 4;
    if (facts->megabytes + facts->val_megabytes + 2 <= room) {
        p->cache_mb = (int)facts->megabytes + 1;
        p->val_cache_mb = (int)facts->val_megabytes + 1;
    } else
        p->scaled_decode = facts->jpegs > 0.5
                        && facts->width * facts->height > 4.0 * p->input[0] * p->input[1];
}

void plan_limit_time(struct plan *p, double seconds)
{
    const double epoch = seconds * p->facts.images;
    const int min = p->pretrained ? 10 : 30, fit = (int)(NIGHT / fmax(epoch, 1e-9));
    if (fit >= p->epochs)
        return;
    p->night = true;
    set_epochs_of(p, min_int(max_int(fit, min), p->epochs));
}
