#include "runtime/tiled_detector.h"

#include "base/memory.h"
#include "base/min_max.h"
#include "detect/merge.h"
#include <stdlib.h>
#include <string.h>

struct tiled {
    struct detector *d;
    const struct image *image; struct image_size size;
    struct detected *list; int count, capacity;                 /* detections that no border cuts */
};

struct samples_job { const struct tiled *t; const struct tile_grid *grid; int first; struct error *errors; };

static void make_sample(const void *job, int i)
{
    const struct samples_job *k = job;
    const struct config *config = k->t->d->model->config;
    const struct tile tile = tile_at(k->grid, k->first + i);
    struct random random = random_of((uint64_t)config->seed, 0, 0);
    sample_make_tile(&k->t->d->own.samples[i], &config->val, k->t->image, &tile, &random, &k->errors[i]);
}

/* Makes the batch of n tiles from `first` on. */
static bool make_batch(const struct tiled *t, const struct tile_grid *grid, int first, int n, struct error *err)
{
    struct samples_job job = { t, grid, first, new_array((size_t)n, sizeof *job.errors, err) };
    bool ok = job.errors && batch_resize(&t->d->own, n, err);
    if (ok)
        team_for(&t->d->team, n, make_sample, &job);
    for (int i = 0; ok && i < n; i++)
        ok = !job.errors[i].exit || fail_as(err, &job.errors[i], "%s", job.errors[i].text);
    free(job.errors);
    return ok && batch_stack(&t->d->own, &t->d->model->config->val.pipeline, err);
}

/* Adds the detections of the last batch. */
static bool add_found(struct tiled *t, struct error *err)
{
    const struct detector *d = t->d;
    for (int i = 0; i < d->own.n; i++) {
        float view[4];
        sample_view(&d->own.samples[i], view);
        for (int k = 0; k < d->count[i]; k++) {
            const struct detected *found = &d->detections[(ptrdiff_t)i * d->rules.max_kept + k];
            if (box_is_cut(found->box, view, t->size))
                continue;
            if (!grow_array(&t->list, t->count, &t->capacity, sizeof *t->list, err))
                return false;
            t->list[t->count++] = *found;
        }
    }
    return true;
}

/* A tile per thread at a time. */
static bool run_grid(struct tiled *t, const struct tile_grid *grid, struct error *err)
{
    const int tiles = grid->columns * grid->rows;
    bool ok = true;
    for (int i = 0, n; ok && i < tiles; i += n) {
        n = min_int(t->d->team.threads, tiles - i);
        ok = make_batch(t, grid, i, n, err) && detector_run(t->d, &t->d->own, err) && add_found(t, err);
    }
    return ok;
}

bool detect_tiles(struct detector *d, struct image_size tile, const struct image *image, struct error *err)
{
    struct tiled t = { .d = d, .image = image, .size = { image->width, image->height } };
    struct tile_grid grids[TILE_GRIDS];
    const int count = tile_grids(&d->tiles, tile, t.size, grids);
    bool ok = true;
    for (int i = 0; ok && i < count; i++)
        ok = run_grid(&t, &grids[i], err);
    if (ok)
        d->count[0] = 0;
    if (ok && t.count > 0) {
        d->count[0] = merge_passes(t.list, t.count, d->rules.iou_thr, d->rules.class_agnostic, d->rules.max_kept);
        memcpy(d->detections, t.list, (size_t)d->count[0] * sizeof *t.list);
    }
    free(t.list);
    return ok;
}
