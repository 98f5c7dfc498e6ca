#include "train/predictor.h"

#include "base/memory.h"
#include "detect/prediction.h"
#include "model/criterion.h"
#include "train/train_step.h"
#include <stdlib.h>
#include <string.h>

bool predictor_init(struct predictor *p, struct model *model, const real *values, const struct policy *policy,
                    const struct team *team, struct shared_block *block, struct error *err)
{
    const struct binding to = { .params = &model->params, .values = values, .team = team };
    *p = (struct predictor){ .classes = model->shape.num_classes };
    if (!graph_cache_init(&p->cache, model, policy, &to, NULL, err))
        return false;
    p->cache.shared = block;
    return true;
}

void predictor_free(struct predictor *p)
{
    graph_cache_free(&p->cache);
    free(p->rows);
    *p = (struct predictor){0};
}

struct rows_job { const struct predictor *p; struct prior_grid grid; };

static void copy_row(const struct predictor *p, const float *from, int channels, float *to)
{
    const int own = p->cache.model->shape.num_classes;
    for (int c = 0; c < p->classes; c++)
        to[c] = p->class_of[c] < 0 ? 0 : from[p->class_of[c]];
    memcpy(to + p->classes, from + own, (size_t)(channels - p->classes) * sizeof *to);
}

/* From the rows of one image to those of the batch. */
static void copy_rows(void *context, int image, const float *from)
{
    const struct rows_job *k = context;
    const struct prior_grid *grid = &k->grid;
    const int reg_max = k->p->cache.model->shape.reg_max, channels = prediction_channels(k->p->classes, reg_max);
    const int own = prediction_channels(k->p->cache.model->shape.num_classes, reg_max);
    for (int l = 0; l < grid->levels; l++) {
        const ptrdiff_t cells = grid->first[l + 1] - grid->first[l];
        float *to = k->p->rows + prior_row(grid, image, grid->first[l]) * channels;
        if (k->p->class_of)
            for (ptrdiff_t i = 0; i < cells; i++)
                copy_row(k->p, from + (grid->first[l] + i) * own, channels, to + i * channels);
        else
            memcpy(to, from + (ptrdiff_t)grid->first[l] * own, (size_t)(cells * channels) * sizeof *to);
    }
}

static bool reserve_rows(struct predictor *p, const struct prior_grid *grid, struct error *err)
{
    const ptrdiff_t count = (ptrdiff_t)grid->images * prior_count(grid)
                          * prediction_channels(p->classes, p->cache.model->shape.reg_max);
    if (count <= p->capacity)
        return true;
    free(p->rows);
    p->rows = new_array((size_t)count, sizeof *p->rows, err);
    p->capacity = p->rows ? count : 0;
    return p->rows != NULL;
}

const float *predictor_run(struct predictor *p, const struct input_batch *in, struct error *err)
{
    const int threads = p->cache.to.team->threads;
    struct rows_job job = { .p = p };
    if (p->cache.calls == 0)                            /* fewer images than threads would leave replicas unused */
        p->cache.replicas = threads > 1 && threads <= in->n ? threads : 0;
    p->cache.packed_weights.filled = false;             /* the values may have changed */
    const bool ok = criterion_grid(p->cache.model, in->n, in->h, in->w, &job.grid, err)
                 && reserve_rows(p, &job.grid, err)
                 && graph_cache_infer_each(&p->cache, in->pixel, in->n, in->h, in->w, copy_rows, &job, err);
    return ok ? p->rows : NULL;
}
