#include "detect/dsl_assigner.h"

#include "base/least.h"
#include "detect/box.h"
#include "detect/focal.h"
#include "detect/smallest.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Two facts spare most costs.  A pair that lies apart costs background(v) + far.  And
 *     cost(v, g) >= floor(v) - iou_factor ln(u + 1e-7),    floor(v) = background(v) - QFL(largest logit of v, 0),
 * so that a pair that is to cost no more than some bound needs
 *     u + 1e-7 >= exp((lowest_floor - bound) / iou_factor) dear(v),
 *     dear(v) = exp((floor(v) - lowest_floor) / iou_factor) */

enum { CONTESTED = -3 };                /* taken more than once; objects and truth.h use the rest */
enum { WORD = sizeof(uint64_t) };

struct candidate { double background, dear; };

/* A contested candidate: its cheapest object so far, and the u + 1e-7 that a cheaper one needs. */
struct contest { double lowest, needed; int candidate, cheapest; };

struct work {
    const struct dsl_config *config;
    const struct dsl_candidates *c;
    const struct truth *truth;
    double far, nearest_far;            /* the latter: the least cost of pairs that lie apart */
    double lowest_floor;
    struct candidate *candidate;
    float *edge;                        /* [4][count] of the candidates' boxes, for the kernel */
    unsigned char *touch;               /* [count] which of them are at an object */
    int *pair;                          /* [count + 1] these, rising; one more is written than are counted */
    double *iou;                        /* [count] theirs with the object */
    struct contest *contest;            /* [count] */
    struct smallest overlaps, costs;
};

static int room_of(const struct dsl_config *config, int candidates)
{
    return least(config->topk, candidates);
}

size_t dsl_bytes(const struct dsl_config *config, int candidates)
{
    const size_t count = (size_t)candidates, room = (size_t)room_of(config, candidates);
    return arena_bytes(count, sizeof(struct candidate)) + arena_bytes(count, sizeof(float[4])) + arena_bytes(count, 1)
         + arena_bytes(count + 1, sizeof(int)) + arena_bytes(count, sizeof(double))
         + arena_bytes(count, sizeof(struct contest)) + 2 * arena_bytes(room, sizeof(struct ranked));
}

static bool take_memory(struct work *k, struct arena *tmp)
{
    const size_t count = (size_t)k->c->count, mark = tmp->used;
    const int room = room_of(k->config, k->c->count);
    k->candidate = arena_take(tmp, count, sizeof *k->candidate);
    k->edge = arena_take(tmp, count, sizeof(float[4]));
    k->touch = arena_take(tmp, count, 1);
    k->pair = arena_take(tmp, count + 1, sizeof *k->pair);
    k->iou = arena_take(tmp, count, sizeof *k->iou);
    k->contest = arena_take(tmp, count, sizeof *k->contest);
    k->overlaps = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    k->costs = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    tmp->used = mark;
    return k->candidate && k->edge && k->touch && k->pair && k->iou && k->contest && k->overlaps.list && k->costs.list;
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
    const struct quality q = quality_of(logit, iou);
    return background - q.absent + q.present + overlap;
}

static double distance_cost(const struct dsl_config *config, const double a[4], const double b[4], double stride)
{
    const double x = (a[0] + a[2] - b[0] - b[2]) / 2, y = (a[1] + a[3] - b[1] - b[3]) / 2;
    return pow(config->dis_alpha, sqrt(x * x + y * y) / stride - config->dis_beta);
}

static double pair_cost(const struct work *k, int v, int g, const double object[4], double iou)
{
    const double cost = dsl_cost(k->config, k->candidate[v].background, k->c->logit[v][k->truth->label[g]], iou);
    return k->config->dis_alpha > 0 ? cost + distance_cost(k->config, k->c->box[v], object, k->c->stride[v]) : cost;
}

/* exp((lowest_floor - bound) / iou_factor), less what rounding may take; a NaN excludes nothing. */
static double needed(const struct work *k, double bound)
{
    return (1 - 1e-9) * exp((k->lowest_floor - bound - 1e-9 * fabs(bound)) / k->config->iou_factor);
}

static double floor_of(const struct work *k, int v)
{
    const float top = k->c->kernels->largest(k->c->classes, k->c->logit[v]);
    return k->candidate[v].background - quality_focal(top, 0, 2, NULL);
}

static void prepare(struct work *k)
{
    const struct dsl_candidates *c = k->c;
    const ptrdiff_t row = c->count;
    k->far = dsl_cost(k->config, 0, 0, 0);
    k->lowest_floor = k->nearest_far = INFINITY;
    for (int v = 0; v < c->count; v++) {
        const double background = c->background ? c->background[v] : dsl_background(c->logit[v], c->classes);
        k->candidate[v].background = background;
        k->candidate[v].dear = floor_of(k, v);
        k->lowest_floor = fmin(k->lowest_floor, k->candidate[v].dear);
        k->nearest_far = fmin(k->nearest_far, background + k->far);
        for (int i = 0; i < 4; i++)
            k->edge[i * row + v] = (float)c->box[v][i];
    }
    for (int v = 0; v < c->count; v++) {
        const double above = (k->candidate[v].dear - k->lowest_floor) / k->config->iou_factor;
        k->candidate[v].dear = exp(fmin(above, 600));           /* finite, and times the least `needed` nothing */
    }
}

/* Which of `count` boxes in edge may overlap object g: rounded to float, those that do still touch it.  Where distances
 * cost, no pair lies apart. */
static void find_touching(const struct work *k, int count, int g)
{
    const float *x1 = k->edge, *y1 = x1 + k->c->count, *x2 = y1 + k->c->count, *y2 = x2 + k->c->count;
    if (k->config->dis_alpha > 0)
        memset(k->touch, 1, (size_t)count);
    else
        k->c->kernels->touching(count, x1, y1, x2, y2, k->truth->box[g], k->touch);
}

/* Lists the places of the ones in flag[count], most of it 0, and returns their number. */
static int list_ones(const unsigned char *restrict flag, int count, int *restrict list)
{
    int ones = 0, i = 0;
    for (; i + WORD <= count; i += WORD) {
        uint64_t word;
        memcpy(&word, flag + i, sizeof word);
        for (int j = i; word != 0 && j < i + WORD; j++) {
            list[ones] = j;
            ones += flag[j];
        }
    }
    for (; i < count; i++) {
        list[ones] = i;
        ones += flag[i];
    }
    return ones;
}

/* Lists the pairs of an object, rising, and the largest overlaps of them; returns their number. */
static int list_pairs(struct work *k, const double object[4])
{
    const int count = list_ones(k->touch, k->c->count, k->pair);
    for (int i = 0; i < count; i++)
        k->iou[i] = box_iou(k->c->box[k->pair[i]], object);
    k->overlaps.count = 0;
    for (int i = 0; i < count; i++)
        smallest_offer(&k->overlaps, -k->iou[i], i);
    return count;
}

static int to_take(const struct smallest *overlaps)
{
    double sum = 0;
    for (int i = 0; i < overlaps->count; i++)
        sum -= overlaps->list[i].value;
    return (int)fmax(1, trunc(sum));
}

static double bound_of(const struct smallest *costs)
{
    return costs->count < costs->room ? INFINITY : costs->list[costs->count - 1].value;
}

/* Object g takes its cheapest candidates; first are tried those that overlap it most. */
static void take(struct work *k, int g, int *match)
{
    struct smallest *costs = &k->costs;
    double object[4];
    box_widen(k->truth->box[g], object);
    find_touching(k, k->c->count, g);
    const int pairs = list_pairs(k, object);
    costs->count = 0;
    costs->room = least(to_take(&k->overlaps), k->overlaps.room);
    for (int i = 0; i < costs->room && i < k->overlaps.count; i++) {
        const int best = k->overlaps.list[i].index, v = k->pair[best];
        smallest_offer(costs, pair_cost(k, v, g, object, k->iou[best]), v);
        k->iou[best] = -1;
    }
    double bound = bound_of(costs), overlap = needed(k, bound);
    for (int i = 0; i < pairs; i++) {
        const int v = k->pair[i];
        if (k->iou[i] < 0 || k->iou[i] + 1e-7 < overlap * k->candidate[v].dear)
            continue;
        smallest_offer(costs, pair_cost(k, v, g, object, k->iou[i]), v);
        if (bound_of(costs) < bound)
            overlap = needed(k, bound = bound_of(costs));
    }
    for (int v = 0; v < k->c->count && k->nearest_far <= bound; v++)
        if (!k->touch[v])
            smallest_offer(costs, k->candidate[v].background + k->far, v);
    for (int i = 0; i < costs->count; i++) {
        int *const m = &match[costs->list[i].index];
        *m = *m == MATCH_BACKGROUND ? g : CONTESTED;
    }
}

/* The object that is cheapest for a candidate, all costs computed. */
static int cheapest_object(const struct work *k, int v)
{
    double lowest = INFINITY, object[4];
    int cheapest = 0;
    for (int g = 0; g < k->truth->objects; g++) {
        box_widen(k->truth->box[g], object);
        const double cost = pair_cost(k, v, g, object, box_iou(k->c->box[v], object));
        if (cost < lowest) {
            lowest = cost;
            cheapest = g;
        }
    }
    return cheapest;
}

/* Moves the contested candidates to the front of the edges and lists them. */
static int list_contests(struct work *k, const int *match)
{
    const ptrdiff_t row = k->c->count;
    int count = 0;
    for (int v = 0; v < k->c->count; v++)
        if (match[v] == CONTESTED) {
            for (int i = 0; i < 4; i++)
                k->edge[i * row + count] = k->edge[i * row + v];
            k->contest[count++] = (struct contest){ INFINITY, -1, v, 0 };
        }
    return count;
}

/* Gives contested candidates to the object that is cheapest for them. */
static void settle(struct work *k, int *match)
{
    const int count = list_contests(k, match);
    for (int g = 0; g < k->truth->objects && count > 0; g++) {
        double object[4];
        box_widen(k->truth->box[g], object);
        find_touching(k, count, g);
        const int pairs = list_ones(k->touch, count, k->pair);
        for (int i = 0; i < pairs; i++) {
            struct contest *f = &k->contest[k->pair[i]];
            const double iou = box_iou(k->c->box[f->candidate], object);
            if (iou + 1e-7 < f->needed)
                continue;
            const double cost = pair_cost(k, f->candidate, g, object, iou);
            if (cost < f->lowest)
                *f = (struct contest){ cost, needed(k, cost) * k->candidate[f->candidate].dear, f->candidate, g };
        }
    }
    for (int i = 0; i < count; i++) {
        const struct contest *f = &k->contest[i];
        const bool near = f->lowest < k->candidate[f->candidate].background + k->far;
        match[f->candidate] = near ? f->cheapest : cheapest_object(k, f->candidate);
    }
}

bool dsl_assign(const struct dsl_config *config, const struct dsl_candidates *c, const struct truth *truth,
                struct arena *tmp, int *match, double *iou)
{
    struct work work = { .config = config, .c = c, .truth = truth };
    if (!take_memory(&work, tmp))
        return false;
    prepare(&work);
    for (int v = 0; v < c->count; v++)
        match[v] = MATCH_BACKGROUND;
    for (int g = 0; g < truth->objects && c->count > 0; g++)
        take(&work, g, match);
    settle(&work, match);
    for (int v = 0; v < c->count; v++) {
        double object[4];
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
