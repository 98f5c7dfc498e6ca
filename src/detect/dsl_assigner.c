#include "detect/dsl_assigner.h"

#include "base/min_max.h"
#include "detect/bottom_k.h"
#include "detect/box.h"
#include "detect/dsl_bounds.h"
#include <math.h>

struct dsl_assignment {
    const struct dsl_config *config;
    const struct dsl_candidates *candidates;
    const struct ground_truth *truth;
    struct dsl_bounds bounds;
    struct bottom_k overlaps;           /* the largest IoUs with the current object, as -IoU */
    struct bottom_k cheapest;           /* the lowest costs for the current object */
    int *match;                         /* [count] the cheapest of the objects that claim the candidate */
    double *cost;                       /* [count] the cost of that match */
    int *claims;                        /* [count] the number of objects that claim the candidate */
    double *overlap;                    /* [count] overlaps with the current object; NULL if they are IoUs (nwd 0) */
    int *contested;                     /* [count] the candidates with two claims or more */
};

/* ---- Memory ---- */

static int overlap_count(const struct dsl_config *config, int candidates)
{
    return min_int(config->topk, candidates);
}

size_t dsl_bytes(const struct dsl_config *config, int candidates)
{
    const size_t count = (size_t)candidates, topk = (size_t)overlap_count(config, candidates);
    return dsl_bounds_bytes(candidates) + 2 * arena_bytes(topk, sizeof(struct scored_index))
         + (config->nwd > 0 ? 2u : 1u) * arena_bytes(count, sizeof(double)) + 2 * arena_bytes(count, sizeof(int));
}

static bool take_memory(struct dsl_assignment *a, struct arena *tmp)
{
    const size_t count = (size_t)a->candidates->count;
    const int topk = overlap_count(a->config, a->candidates->count);
    a->overlaps = (struct bottom_k){ arena_take(tmp, (size_t)topk, sizeof(struct scored_index)), topk, 0 };
    a->cheapest = (struct bottom_k){ arena_take(tmp, (size_t)topk, sizeof(struct scored_index)), topk, 0 };
    a->cost = arena_take(tmp, count, sizeof *a->cost);
    a->claims = arena_take(tmp, count, sizeof *a->claims);
    a->contested = arena_take(tmp, count, sizeof *a->contested);
    if (a->config->nwd > 0)
        a->overlap = arena_take(tmp, count, sizeof *a->overlap);
    return (a->overlap || a->config->nwd <= 0) && a->overlaps.list && a->cheapest.list && a->cost && a->claims
        && a->contested;
}

/* ---- The algorithm; dsl_bounds leaves out pairs that cannot change its result ---- */

static double pair_cost(const struct dsl_assignment *a, int v, int g)
{
    return dsl_pair_cost(a->config, a->candidates, v, a->truth, g);
}

static void find_largest_overlaps(struct dsl_assignment *a, int g)
{
    double object[4];
    if (!a->overlap) {
        dsl_bounds_largest_ious(&a->bounds, g, &a->overlaps);
        return;
    }
    box_to_double(a->truth->box[g], object);
    a->overlaps.count = 0;
    for (int v = 0; v < a->candidates->count; v++) {
        const double *box = a->candidates->box[v];
        a->overlap[v] = dsl_overlap(a->config, box_iou(box, object), box, object);
        bottom_k_offer(&a->overlaps, -a->overlap[v], v);
    }
}

/* At most topk, and at most the number of candidates. */
static int dynamic_k(struct dsl_assignment *a, int g)
{
    double sum = 0;
    find_largest_overlaps(a, g);
    for (int i = 0; i < a->overlaps.count; i++)
        sum -= a->overlaps.list[i].value;
    return min_int((int)fmax(1, trunc(sum)), a->overlaps.k);
}

/* The candidates with the largest overlaps limit the k lowest costs; those that cannot cost so little are left out. */
static void find_cheapest_of_all(struct dsl_assignment *a, int g)
{
    for (int i = 0; i < a->overlaps.count; i++)
        bottom_k_offer(&a->cheapest, pair_cost(a, a->overlaps.list[i].index, g), a->overlaps.list[i].index);
    const double limit = bottom_k_last(&a->cheapest, INFINITY);
    a->cheapest.count = 0;
    for (int v = 0; v < a->candidates->count; v++)
        if (a->overlap[v] >= dsl_bounds_overlap(&a->bounds, v, limit))
            bottom_k_offer(&a->cheapest, pair_cost(a, v, g), v);
}

static void find_cheapest(struct dsl_assignment *a, int g, int k)
{
    int list[FOCAL_TERMS], count;
    a->cheapest.k = k;
    a->cheapest.count = 0;
    if (a->overlap) {
        find_cheapest_of_all(a, g);
        return;
    }
    dsl_bounds_start_cheapest(&a->bounds, k, &a->overlaps);
    while ((count = dsl_bounds_next_cheapest(&a->bounds, bottom_k_last(&a->cheapest, INFINITY), list)) > 0)
        for (int i = 0; i < count; i++)
            bottom_k_offer(&a->cheapest, pair_cost(a, list[i], g), list[i]);
}

static void claim(struct dsl_assignment *a, int g)
{
    for (int i = 0; i < a->cheapest.count; i++) {
        const int v = a->cheapest.list[i].index;
        const double cost = a->cheapest.list[i].value;
        if (a->claims[v]++ == 0 || cost < a->cost[v]) {
            a->cost[v] = cost;
            a->match[v] = g;
        }
    }
}

static void reassign_if_cheaper(struct dsl_assignment *a, int v, int g)
{
    const double cost = pair_cost(a, v, g);
    if (cost < a->cost[v] || (cost == a->cost[v] && g < a->match[v])) {
        a->cost[v] = cost;
        a->match[v] = g;
    }
}

static void reassign_to_any(struct dsl_assignment *a, int v)
{
    const double *box = a->candidates->box[v], required = dsl_bounds_overlap(&a->bounds, v, a->cost[v]);
    for (int g = 0; g < a->truth->objects; g++) {
        double object[4];
        box_to_double(a->truth->box[g], object);
        if (dsl_overlap(a->config, box_iou(box, object), box, object) >= required)
            reassign_if_cheaper(a, v, g);
    }
}

/* A contested candidate has the cheapest of its claimants; an object that does not claim it may be cheaper still. */
static void resolve_conflicts(struct dsl_assignment *a)
{
    int list[FOCAL_TERMS], count = 0, some;
    for (int v = 0; v < a->candidates->count; v++)
        if (a->claims[v] > 1)
            a->contested[count++] = v;
    if (a->overlap) {
        for (int i = 0; i < count; i++)
            reassign_to_any(a, a->contested[i]);
        return;
    }
    dsl_bounds_restrict(&a->bounds, a->contested, count, a->cost);
    for (int g = 0; g < a->truth->objects && count > 0; g++) {
        dsl_bounds_start_cheaper(&a->bounds, g);
        while ((some = dsl_bounds_next_cheaper(&a->bounds, a->cost, list)) > 0)
            for (int i = 0; i < some; i++)
                reassign_if_cheaper(a, list[i], g);
    }
}

static void finish(const struct dsl_assignment *a, double *iou)
{
    for (int v = 0; v < a->candidates->count; v++) {
        const double *box = a->candidates->box[v];
        double object[4];
        if (ground_truth_ignores(a->truth, box, a->config->ignore_iof_thr))
            a->match[v] = MATCH_IGNORED;
        iou[v] = 0;
        if (a->match[v] >= 0) {
            box_to_double(a->truth->box[a->match[v]], object);
            iou[v] = box_iou(box, object);
        }
    }
}

bool dsl_assign(const struct dsl_config *config, const struct dsl_candidates *candidates,
                const struct ground_truth *truth, struct arena *tmp, int *match, double *iou)
{
    struct dsl_assignment a = { .config = config, .candidates = candidates, .truth = truth, .match = match };
    const size_t mark = tmp->used;
    const bool ok = take_memory(&a, tmp) && dsl_bounds_init(&a.bounds, config, candidates, truth, tmp);
    tmp->used = mark;
    if (!ok)
        return false;
    for (int v = 0; v < candidates->count; v++) {
        match[v] = MATCH_BACKGROUND;
        a.claims[v] = 0;
    }
    for (int g = 0; g < truth->objects && candidates->count > 0; g++) {
        find_cheapest(&a, g, dynamic_k(&a, g));
        claim(&a, g);
    }
    resolve_conflicts(&a);
    finish(&a, iou);
    return true;
}
