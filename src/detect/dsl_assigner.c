#include "detect/dsl_assigner.h"

#include "base/least.h"
#include "detect/box.h"
#include "detect/focal.h"
#include "detect/smallest.h"
#include "kernel/kernels.h"
#include <math.h>

/* Most pairs cost too much to be chosen.  Since
 *     cost(v, g) >= floor(v) - iou_factor ln(u + 1e-7),    floor(v) = background(v) - QFL(largest logit of v, 0),
 * one that is to cost no more than some bound needs
 *     u + 1e-7 >= exp((floor(v) - bound) / iou_factor) = exp((lowest floor - bound) / iou_factor) dear(v).
 * Kernels estimate u in float, too low by no more than rounding; what they let through is looked at in double, where
 * bounds spare most exponentials; what passes these, too, is computed.  No estimate decides. */

static const double less = 1 - 1e-5;    /* times this what is needed, so that rounding excludes nothing */

/* What it costs without an object, the floor, and the cost of the cheapest of the objects that took it. */
struct candidate { double background, floor, lowest; int takers; };

/* What pairs are allowed to cost, and the u + 1e-7 that one on the floor needs for it: exp((floor - bound) /
 * iou_factor), less what rounding may take; 0 excludes nothing. */
struct limit { double floor, bound; float need; };

struct work {
    const struct dsl_config *config;
    const struct dsl_candidates *c;
    const struct truth *truth;
    int *match;                         /* [count] the cheapest of its takers */
    double far, lowest_floor;           /* far: what a pair that lies apart costs beside background */
    int plainest;                       /* the cheapest of candidates that lie apart, whatever the object */
    struct candidate *candidate;        /* [count] */
    int parts;
    struct boxes *part, *hull;          /* [parts], [hulls]: the candidates, from settle on the contested ones */
    int *contested;                     /* [count] which these are */
    int *list;                          /* [count + 1] */
    struct smallest overlaps, costs;
    struct limit limit;                 /* of who is to be among the costs; its floor is the lowest */
};

static int room_of(const struct dsl_config *config, int candidates)
{
    return least(config->topk, candidates);
}

static size_t parts_of(size_t boxes)
{
    return boxes / HULL + 1;
}

size_t dsl_bytes(const struct dsl_config *config, int candidates)
{
    const size_t count = (size_t)candidates, parts = parts_of(count), room = (size_t)room_of(config, candidates);
    return arena_bytes(count, sizeof(struct candidate))
         + arena_bytes(parts, sizeof(struct boxes)) + arena_bytes(parts_of(parts), sizeof(struct boxes))
         + arena_bytes(count, sizeof(int)) + arena_bytes(count + 1, sizeof(int))
         + 2 * arena_bytes(room, sizeof(struct ranked));
}

static bool take_memory(struct work *k, struct arena *tmp)
{
    const size_t count = (size_t)k->c->count, parts = parts_of(count), mark = tmp->used;
    const int room = room_of(k->config, k->c->count);
    k->candidate = arena_take(tmp, count, sizeof *k->candidate);
    k->part = arena_take(tmp, parts, sizeof *k->part);
    k->hull = arena_take(tmp, parts_of(parts), sizeof *k->hull);
    k->contested = arena_take(tmp, count, sizeof *k->contested);
    k->list = arena_take(tmp, count + 1, sizeof *k->list);
    k->overlaps = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    k->costs = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    tmp->used = mark;
    return k->candidate && k->part && k->hull && k->contested && k->list && k->overlaps.list && k->costs.list;
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
    if (iou == 0)
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
    const double background = k->candidate[v].background, logit = k->c->logit[v][k->truth->label[g]];
    const double cost = iou == 0 ? background + k->far : dsl_cost(k->config, background, logit, iou);
    return k->config->dis_alpha > 0 ? cost + distance_cost(k->config, k->c->box[v], object, k->c->stride[v]) : cost;
}

/* No less than p and QFL(x, 0): of a logit x = -t < 0 p <= 1 / (2 + t + t^2 / 2), for e^t is larger, and 2 p^3. */
struct most { double p, absent; };

static struct most most_of(double x)
{
    if (x >= 0)
        return (struct most){ 1, x + 0.174 };
    const double p = 1 / (2 - x + x * x / 2);
    return (struct most){ p, 2 * p * p * p };
}

static struct limit limit_of(const struct work *k, double floor, double bound)
{
    const double exponent = (floor - bound) / k->config->iou_factor;
    return (struct limit){ floor, bound, exponent > -80 ? (float)less * expf((float)exponent) : 0 };
}

/* Does the pair cost more than the bound, for sure?  With r = (u + 1e-7) / need that is to say
 *     background(v) - QFL(x, 0) + QFL(x, u) - floor > iou_factor ln r,
 * where QFL(x, u) >= (u - p)^2 t u, and ln r <= (r - 1 / r) / 2 if r > 1, and no overlap makes up for more than 1. */
static bool too_dear(const struct work *k, int v, int g, double iou, const struct limit *limit)
{
    const double x = k->c->logit[v][k->truth->label[g]], r = (iou + 1e-7) / limit->need, f = k->config->iou_factor;
    const struct most most = most_of(x);
    const double present = iou > most.p ? (iou - most.p) * (iou - most.p) * -x * iou : 0;
    const double ahead = k->candidate[v].background - most.absent + present - limit->floor;
    return ahead > f * (r > 1 ? (r - limit->need / (iou + 1e-7)) / 2 : r - 1)
        || ahead > limit->bound - limit->floor + f * 1e-7;
}

/* Box `at` of many, no smaller than `box` is when edges are rounded. */
static void put_box(struct boxes *many, int at, const double box[4], float dear)
{
    struct boxes *b = &many[at / HULL];
    const int i = at % HULL;
    b->x1[i] = (float)(box[0] - 1e-7 * fabs(box[0]));
    b->y1[i] = (float)(box[1] - 1e-7 * fabs(box[1]));
    b->x2[i] = (float)(box[2] + 1e-7 * fabs(box[2]));
    b->y2[i] = (float)(box[3] + 1e-7 * fabs(box[3]));
    b->area[i] = (float)box_area(box);
    b->dear[i] = dear;
}

static void widen(float *low, float *high, float least, float most)
{
    *low = least < *low ? least : *low;
    *high = most > *high ? most : *high;
}

/* Fills the last part up with boxes that are nowhere, and makes the hulls. */
static void close_parts(struct work *k, int count)
{
    static const double nowhere[4] = { 1e15, 1e15, -1e15, -1e15 };
    k->parts = (count + HULL - 1) / HULL;
    for (int i = count; i < k->parts * HULL; i++)
        put_box(k->part, i, nowhere, INFINITY);
    for (int i = 0; i < k->parts; i++) {
        const struct boxes *b = &k->part[i];
        struct boxes *h = &k->hull[i / HULL];
        const int at = i % HULL;
        if (at == 0)
            for (int j = 0; j < HULL; j++)
                put_box(h, j, nowhere, INFINITY);
        for (int j = 0; j < HULL; j++) {
            widen(&h->x1[at], &h->x2[at], b->x1[j], b->x2[j]);
            widen(&h->y1[at], &h->y2[at], b->y1[j], b->y2[j]);
            h->dear[at] = b->dear[j] < h->dear[at] ? b->dear[j] : h->dear[at];
        }
    }
}

static void prepare(struct work *k)
{
    const struct dsl_candidates *c = k->c;
    k->far = dsl_cost(k->config, 0, 0, 0);
    k->lowest_floor = INFINITY;
    for (int v = 0; v < c->count; v++) {
        struct candidate *to = &k->candidate[v];
        const double background = c->background ? c->background[v] : dsl_background(c->logit[v], c->classes);
        const double largest = c->kernels->largest(c->classes, c->logit[v]);
        *to = (struct candidate){ .background = background, .floor = background - most_of(largest).absent };
        k->lowest_floor = fmin(k->lowest_floor, to->floor);
        if (to->background + k->far < k->candidate[k->plainest].background + k->far)
            k->plainest = v;
    }
    for (int v = 0; v < c->count; v++) {                        /* finite, and times the least need nothing */
        const double above = (k->candidate[v].floor - k->lowest_floor) / k->config->iou_factor;
        put_box(k->part, v, c->box[v], expf((float)fmin(above, 40)));
    }
    close_parts(k, c->count);
}

static double last_of(const struct smallest *s, double unless_full)
{
    return s->count < s->room ? unless_full : s->list[s->count - 1].value;
}

static int list_pairs(const struct work *k, float scale, float least)
{
    return k->c->kernels->list_overlaps(k->parts, k->part, k->hull, scale, least, k->list);
}

/* Finds the largest overlaps with object g.  The least of them is guessed, and lowered if the guess was too high. */
static void find_overlaps(struct work *k, int g, const double object[4])
{
    struct smallest *found = &k->overlaps;
    double low = 0.999 * k->c->kernels->overlaps(k->parts, k->part, k->hull, k->truth->box[g], found->room), guess;
    do {
        guess = low;
        const int count = list_pairs(k, 0, (float)(less * guess));
        found->count = 0;
        for (int i = 0; i < count; i++)
            smallest_offer(found, -box_iou(k->c->box[k->list[i]], object), k->list[i]);
        low = -last_of(found, 0);
    } while (low < guess);
}

static int to_take(const struct smallest *overlaps)
{
    double sum = 0;
    for (int i = 0; i < overlaps->count; i++)
        sum -= overlaps->list[i].value;
    return (int)fmax(1, trunc(sum));
}

/* Offers a pair, unless it is too dear for sure. */
static void try(struct work *k, int v, int g, const double object[4], double iou)
{
    if (iou > 0 ? too_dear(k, v, g, iou, &k->limit) : k->candidate[v].background + k->far > k->limit.bound)
        return;
    if (smallest_offer(&k->costs, pair_cost(k, v, g, object, iou), v))
        k->limit = limit_of(k, k->lowest_floor, last_of(&k->costs, INFINITY));
}

static float estimate_of(const struct work *k, int v)
{
    return k->part[v / HULL].iou[v % HULL];
}

/* Lists what may be cheap enough.  Where one is to be taken, the plainest stands for all that lie apart. */
static int list_rest(struct work *k, int g, const double object[4])
{
    if (k->costs.room > 1 || k->config->dis_alpha > 0 || estimate_of(k, k->plainest) != 0)
        return list_pairs(k, k->limit.need, -1e-7f);
    try(k, k->plainest, g, object, 0);
    return k->limit.need < 1e-7f ? list_pairs(k, 0, 0) : list_pairs(k, k->limit.need, -1e-7f);
}

/* Finds the cheapest candidates for object g; first are tried those that overlap it most. */
static void find_cheapest(struct work *k, int g)
{
    double object[4];
    box_widen(k->truth->box[g], object);
    find_overlaps(k, g, object);
    k->costs.count = 0;
    k->costs.room = least(to_take(&k->overlaps), k->overlaps.room);
    k->limit = limit_of(k, k->lowest_floor, INFINITY);
    for (int i = 0; i < k->overlaps.count; i++) {
        const struct ranked *most = &k->overlaps.list[i];
        try(k, most->index, g, object, -most->value);
        k->part[most->index / HULL].iou[most->index % HULL] = -1;     /* done with */
    }
    const int count = list_rest(k, g, object);
    for (int i = 0; i < count; i++) {
        const int v = k->list[i];
        const float estimate = estimate_of(k, v);
        if (estimate > k->limit.need * k->part[v / HULL].dear[v % HULL] - 1e-7f)
            try(k, v, g, object, estimate == 0 ? 0 : box_iou(k->c->box[v], object));
    }
}

static void take(struct work *k, int g)
{
    find_cheapest(k, g);
    for (int i = 0; i < k->costs.count; i++) {
        const struct ranked *cheap = &k->costs.list[i];
        struct candidate *c = &k->candidate[cheap->index];
        if (c->takers++ == 0 || cheap->value < c->lowest) {
            c->lowest = cheap->value;
            k->match[cheap->index] = g;
        }
    }
}

/* The contested candidates take the place of all; dear is what cheaper objects need. */
static int list_contests(struct work *k)
{
    int count = 0;
    for (int v = 0; v < k->c->count; v++) {
        const struct candidate *c = &k->candidate[v];
        if (c->takers < 2)
            continue;
        put_box(k->part, count, k->c->box[v], limit_of(k, c->floor, c->lowest).need);
        k->contested[count++] = v;
    }
    close_parts(k, count);
    return count;
}

/* Gives contested candidates to the object that is cheapest for them. */
static void settle(struct work *k)
{
    const int count = list_contests(k);
    double object[4];
    for (int g = 0; g < k->truth->objects && count > 0; g++) {
        box_widen(k->truth->box[g], object);
        k->c->kernels->overlaps(k->parts, k->part, k->hull, k->truth->box[g], 1);
        const int pairs = list_pairs(k, 1, -1e-7f);
        for (int i = 0; i < pairs; i++) {
            const int at = k->list[i], v = k->contested[at];
            struct candidate *c = &k->candidate[v];
            float *dear = &k->part[at / HULL].dear[at % HULL];
            const double iou = box_iou(k->c->box[v], object);
            if (too_dear(k, v, g, iou, &(struct limit){ c->floor, c->lowest, *dear }))
                continue;
            const double cost = pair_cost(k, v, g, object, iou);
            if (cost < c->lowest || (cost == c->lowest && g < k->match[v])) {
                c->lowest = cost;
                k->match[v] = g;
                *dear = limit_of(k, c->floor, cost).need;
            }
        }
    }
}

bool dsl_assign(const struct dsl_config *config, const struct dsl_candidates *c, const struct truth *truth,
                struct arena *tmp, int *match, double *iou)
{
    struct work work = { .config = config, .c = c, .truth = truth, .match = match };
    if (!take_memory(&work, tmp))
        return false;
    prepare(&work);
    for (int v = 0; v < c->count; v++)
        match[v] = MATCH_BACKGROUND;
    for (int g = 0; g < truth->objects && c->count > 0; g++)
        take(&work, g);
    settle(&work);
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
