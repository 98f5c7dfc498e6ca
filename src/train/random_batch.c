#include "train/random_batch.h"

#include "base/memory.h"
#include "base/random.h"
#include "data/sample.h"
#include <math.h>
#include <stdlib.h>

static void draw_box(struct random *random, int w, int h, float box[4])
{
    const double x = random_range(random, 0, 0.8) * w, y = random_range(random, 0, 0.8) * h;
    box[0] = (float)x;
    box[1] = (float)y;
    box[2] = (float)fmin(w, x + random_range(random, 0.05, 0.5) * w);
    box[3] = (float)fmin(h, y + random_range(random, 0.05, 0.5) * h);
}

bool random_batch_init(struct random_batch *b, const int size[2], int n, int classes, struct error *err)
{
    const int w = padded_side(size[0]), h = padded_side(size[1]);
    struct random random = random_of(0, 0, 0);
    size_t all;
    *b = (struct random_batch){0};
    if (!checked_mul((size_t)n, 3 * (size_t)w * (size_t)h, &all))
        return misuse(err, "a batch of %d images is too large", n);
    b->pixel = new_array(all, sizeof *b->pixel, err);
    b->ground_truth = new_array((size_t)n, sizeof *b->ground_truth, err);
    b->box = new_array((size_t)n, RANDOM_BOXES * sizeof *b->box, err);
    b->label = new_array((size_t)n, RANDOM_BOXES * sizeof *b->label, err);
    if (!b->pixel || !b->ground_truth || !b->box || !b->label)
        return false;
    for (size_t i = 0; i < all; i++)
        b->pixel[i] = (float)random_normal(&random);
    for (int i = 0; i < n * RANDOM_BOXES; i++) {
        draw_box(&random, w, h, b->box[i]);
        b->label[i] = random_below(&random, classes);
    }
    for (int i = 0; i < n; i++)
        b->ground_truth[i] = (struct ground_truth){ .objects = RANDOM_BOXES,
                                                    .box = (const float (*)[4])&b->box[i * RANDOM_BOXES],
                                                    .label = &b->label[i * RANDOM_BOXES] };
    b->images = (struct input_batch){ b->pixel, n, h, w, b->ground_truth };
    return true;
}

void random_batch_free(struct random_batch *b)
{
    free(b->pixel);
    free(b->ground_truth);
    free(b->box);
    free(b->label);
    *b = (struct random_batch){0};
}
