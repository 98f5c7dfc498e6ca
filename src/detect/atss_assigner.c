#include "detect/atss_assigner.h"

#include "base/min_max.h"
#include "detect/bottom_k.h"
#include "detect/box.h"
#include <math.h>

static const double far = 1e8;          /* pixels: the distance of ignored anchors */

struct atss_anchor_box { struct prior centre; double box[4]; bool ignored; };

void atss_anchor(const struct atss_config *config, struct prior p, double box[4])
{
    const double half = config->anchor_scale * p.stride / 2;
    box_from_distance(p.x, p.y, (const double[4]){ half, half, half, half }, box);
}

/* The number of candidates per object. */
static int candidate_count(const struct atss_config *config, const struct prior_grid *grid)
{
    int count = 0;
    for (int l = 0; l < grid->levels; l++)
        count += min_int(config->topk, grid->first[l + 1] - grid->first[l]);
    return count;
}

size_t atss_bytes(const struct atss_config *config, const struct prior_grid *grid)
{
    return arena_bytes((size_t)prior_count(grid), sizeof(struct atss_anchor_box))
         + arena_bytes((size_t)candidate_count(config, grid), sizeof(struct scored_index));
}

/* Lists the candidates of an object, level by level. */
static void list_candidates(const struct atss_config *config, const struct prior_grid *grid,
                            const struct atss_anchor_box *anchor, const double object[4], struct scored_index *list)
{
    const double x = (object[0] + object[2]) / 2, y = (object[1] + object[3]) / 2;
    for (int l = 0; l < grid->levels; l++) {
        struct bottom_k level = { list, min_int(config->topk, grid->first[l + 1] - grid->first[l]), 0 };
        for (int i = grid->first[l]; i < grid->first[l + 1]; i++) {
            const double dx = anchor[i].centre.x - x, dy = anchor[i].centre.y - y;
            bottom_k_offer(&level, anchor[i].ignored ? far : sqrt(dx * dx + dy * dy), i);
        }
        list += level.count;
    }
}

/* Replaces the candidates' distances by their IoUs with the object; returns the mean plus the standard deviation. */
static double threshold(const struct atss_anchor_box *anchor, const double object[4], struct scored_index *list,
                        int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += list[i].value = box_iou(anchor[list[i].index].box, object);
    const double mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (list[i].value - mean) * (list[i].value - mean);
    return mean + sqrt(squares / (count - 1));          /* NaN for a single candidate: no positive */
}

static bool well_inside(struct prior p, const double object[4])
{
    double d[4];
    box_to_distance(p.x, p.y, object, d);
    return fmin(fmin(d[0], d[1]), fmin(d[2], d[3])) > 0.01;
}

bool atss_assign(const struct atss_config *config, const struct prior_grid *grid, const struct ground_truth *truth,
                 struct arena *tmp, int *match, double *iou)
{
    const int priors = prior_count(grid), count = candidate_count(config, grid);
    const size_t mark = tmp->used;
    struct atss_anchor_box *anchor = arena_take(tmp, (size_t)priors, sizeof *anchor);
    struct scored_index *list = arena_take(tmp, (size_t)count, sizeof *list);
    tmp->used = mark;
    if (!anchor || !list)
        return false;
    for (int i = 0; i < priors; i++) {
        struct atss_anchor_box *a = &anchor[i];
        a->centre = prior_at(grid, i);
        atss_anchor(config, a->centre, a->box);
        a->ignored = truth->objects > 0 && ground_truth_ignores(truth, a->box, config->ignore_iof_thr);
        match[i] = a->ignored ? MATCH_IGNORED : MATCH_BACKGROUND;
        iou[i] = 0;
    }
    for (int g = 0; g < truth->objects; g++) {
        double object[4];
        box_to_double(truth->box[g], object);
        list_candidates(config, grid, anchor, object, list);
        const double bound = threshold(anchor, object, list, count);
        for (int i = 0; i < count; i++) {
            const int p = list[i].index;
            if (list[i].value >= bound && well_inside(anchor[p].centre, object)
                && (match[p] < 0 || list[i].value > iou[p])) {
                iou[p] = list[i].value;
                match[p] = g;
            }
        }
    }
    return true;
}
