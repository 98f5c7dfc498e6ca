#include "detect/dsl_assigner.h"

#include "detect/box.h"
#include "detect/focal.h"
#include "detect/smallest.h"
#include <math.h>

enum { CONTESTED = -3 };                /* taken more than once; objects and truth.h use the rest */

/* What is known of a candidate while the objects pass by: its cost without overlap, and the object cheapest so far. */
struct candidate { double background, lowest; int cheapest; };

struct work { struct candidate *candidate; struct smallest overlaps, costs; };

size_t dsl_bytes(const struct dsl_config *config, int candidates)
{
    const size_t room = (size_t)(config->topk < candidates ? config->topk : candidates);
    return arena_bytes((size_t)candidates, sizeof(struct candidate)) + 2 * arena_bytes(room, sizeof(struct ranked));
}

double dsl_background(const float *logit, int classes)
{
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += quality_focal(logit[c], 0, 2, NULL);
    return sum;
}

double dsl_cost(const struct dsl_config *config, double background, double logit, double iou)
{
    const double overlap = -config->iou_factor * log(iou + 1e-7);
    if (iou == 0)                       /* most pairs */
        return background + overlap;
    return background - quality_focal(logit, 0, 2, NULL) + quality_focal(logit, iou, 2, NULL) + overlap;
}

static double distance_cost(const struct dsl_config *config, const double a[4], const double b[4], double stride)
{
    const double x = (a[0] + a[2] - b[0] - b[2]) / 2, y = (a[1] + a[3] - b[1] - b[3]) / 2;
    return pow(config->dis_alpha, sqrt(x * x + y * y) / stride - config->dis_beta);
}

static bool meet(const double a[4], const double b[4])
{
    return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

/* Object g takes its cheapest candidates, and each candidate learns whether g is its cheapest object. */
static void take(const struct dsl_config *config, const struct dsl_candidates *c, const struct truth *truth, int g,
                 double far, struct work *work, int *match)
{
    double object[4], sum = 0;
    box_widen(truth->box[g], object);
    work->overlaps.count = work->costs.count = 0;
    for (int v = 0; v < c->count; v++) {
        struct candidate *k = &work->candidate[v];
        double cost = k->background + far;
        if (meet(c->box[v], object)) {
            const double u = box_iou(c->box[v], object);
            cost = dsl_cost(config, k->background, c->logit[v][truth->label[g]], u);
            smallest_offer(&work->overlaps, -u, v);
        }
        if (config->dis_alpha > 0)
            cost += distance_cost(config, c->box[v], object, c->stride[v]);
        smallest_offer(&work->costs, cost, v);
        if (cost < k->lowest) {
            k->lowest = cost;
            k->cheapest = g;
        }
    }
    for (int i = 0; i < work->overlaps.count; i++)
        sum -= work->overlaps.list[i].value;
    for (int i = 0; i < work->costs.count && i < fmax(1, trunc(sum)); i++) {
        int *const m = &match[work->costs.list[i].index];
        *m = *m == MATCH_BACKGROUND ? g : CONTESTED;
    }
}

bool dsl_assign(const struct dsl_config *config, const struct dsl_candidates *c, const struct truth *truth,
                struct arena *tmp, int *match, double *iou)
{
    const double far = dsl_cost(config, 0, 0, 0);
    const size_t mark = tmp->used;
    const int room = config->topk < c->count ? config->topk : c->count;
    struct work work = { .overlaps.room = room, .costs.room = room };
    work.candidate = arena_take(tmp, (size_t)c->count, sizeof *work.candidate);
    work.overlaps.list = arena_take(tmp, (size_t)room, sizeof *work.overlaps.list);
    work.costs.list = arena_take(tmp, (size_t)room, sizeof *work.costs.list);
    tmp->used = mark;
    if (!work.candidate || !work.overlaps.list || !work.costs.list)
        return false;
    for (int v = 0; v < c->count; v++) {
        const double background = c->background ? c->background[v] : dsl_background(c->logit[v], c->classes);
        work.candidate[v] = (struct candidate){ background, INFINITY, 0 };
        match[v] = MATCH_BACKGROUND;
    }
    for (int g = 0; g < truth->objects && c->count > 0; g++)
        take(config, c, truth, g, far, &work, match);
    for (int v = 0; v < c->count; v++) {
        double object[4];
        if (match[v] == CONTESTED)
            match[v] = work.candidate[v].cheapest;
        if (truth_ignores(truth, c->box[v], config->ignore_iof_thr))
            match[v] = MATCH_IGNORED;
        iou[v] = 0;
        if (match[v] >= 0) {
            box_widen(truth->box[match[v]], object);
            iou[v] = box_iou(c->box[v], object);
        }
    }
    return true;
}
