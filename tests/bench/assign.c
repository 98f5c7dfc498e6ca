/* tests/bench/assign.c -- assign SIZE MIN MAX SECONDS: the processor's milliseconds that NanoDet-Plus takes on one
 * core to assign the priors of one image of SIZE x SIZE to 500 objects, as one JSON object.  The objects' sides are
 * MIN to MAX pixels long; predictions are as in the middle of training: about as many are right as wrong. */
#include "base/memory.h"
#include "base/random.h"
#include "base/sort.h"
#include "detect/loss.h"
#include "detect/prediction.h"
#include "kernel/kernels.h"
#include "policy.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { OBJECTS = 500, CLASSES = 80, REG_MAX = 7, CHANNELS = CLASSES + 4 * (REG_MAX + 1), ROUNDS_MAX = 1 << 20 };

struct scene { float box[OBJECTS][4]; int label[OBJECTS]; struct ground_truth truth; };

static double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void draw_objects(struct scene *s, double size, double min, double max, struct random *r)
{
    for (int g = 0; g < OBJECTS; g++) {
        for (int axis = 0; axis < 2; axis++) {
            const double side = random_range(r, min, max), start = random_range(r, 0, size - side);
            s->box[g][axis] = (float)start;
            s->box[g][axis + 2] = (float)(start + side);
        }
        s->label[g] = random_below(r, CLASSES);
    }
    s->truth = (struct ground_truth){ .objects = OBJECTS, .box = (const float (*)[4])s->box, .label = s->label };
}

/* The last object that contains the prior, starting from a random one; -1 if none does. */
static int object_at(const struct scene *s, struct prior p, struct random *r)
{
    const int first = random_below(r, OBJECTS);
    for (int i = 0; i < OBJECTS; i++) {
        const float *box = s->box[(first + i) % OBJECTS];
        if (p.x > box[0] && p.y > box[1] && p.x < box[2] && p.y < box[3])
            return (first + i) % OBJECTS;
    }
    return -1;
}

static void predict(const struct scene *s, struct prior p, float *row, struct random *r)
{
    const int g = object_at(s, p, r);
    for (int c = 0; c < CLASSES; c++)
        row[c] = (float)(random_normal(r) - 5);
    if (g >= 0)
        row[s->label[g]] = (float)random_range(r, -4, 1);
    for (int side = 0; side < 4; side++) {
        const double at = side % 2 ? p.y : p.x, edge = g < 0 ? at : s->box[g][side];
        const double distance = fmin(fabs(edge - at) / p.stride + 0.5 * random_normal(r), REG_MAX);
        for (int bin = 0; bin <= REG_MAX; bin++)
            row[CLASSES + side * (REG_MAX + 1) + bin] = (float)(-(bin - distance) * (bin - distance));
    }
}

static bool measure(struct loss *loss, const float *pred, const struct ground_truth *truth, double seconds,
                    struct error *err)
{
    static double took[ROUNDS_MAX];
    const float *const heads[LOSS_HEADS] = { pred, NULL };
    struct loss_sums sums;
    struct rusage usage = {0};
    int rounds = 0;
    for (const double end = milliseconds() + 1e3 * seconds; rounds < ROUNDS_MAX && milliseconds() < end; rounds++) {
        const double start = milliseconds();
        if (!loss_assign(loss, pred, heads, truth, &sums, err))
            return false;
        took[rounds] = milliseconds() - start;
    }
    sort_doubles(took, rounds);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"ms_per_image_median\": %.4f, \"positives\": %.0f, \"peak_rss_bytes\": %.0f}\n", took[rounds / 2],
           sums.positives, 1024.0 * (double)usage.ru_maxrss);
    return true;
}

int main(int argc, char **argv)
{
    static struct scene scene;
    struct prior_grid grid;
    struct loss loss = {0};
    struct error err = {0};
    float *pred = NULL;
    const struct kernels *kernels = kernels_under_test();
    const int size = argc == 5 ? atoi(argv[1]) : 0;
    struct random r = random_of(1, 0, 0);
    if (argc != 5)
        misuse(&err, "usage: assign SIZE MIN MAX SECONDS");
    else if (kernels && prior_grid_init(&grid, (const int[]){ 8, 16, 32, 64 }, 4, 0, 1, size, size, &err)
             && loss_init(&loss, &loss_presets[LOSS_PLUS], &grid, &(struct team){ 1 }, kernels, &err)
             && (pred = new_array((size_t)prior_count(&grid), CHANNELS * sizeof *pred, &err))) {
        draw_objects(&scene, size, atof(argv[2]), atof(argv[3]), &r);
        for (int i = 0; i < prior_count(&grid); i++)
            predict(&scene, prior_at(&grid, i), pred + CHANNELS * prior_row(&grid, 0, i), &r);
        measure(&loss, pred, &scene.truth, atof(argv[4]), &err);
    }
    if (err.exit)
        fprintf(stderr, "assign: %s\n", err.text);
    free(pred);
    loss_free(&loss);
    return err.exit;
}
