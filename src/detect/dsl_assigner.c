#include "detect/dsl_assigner.h"

#include "base/least.h"
#include "detect/box.h"
#include "detect/focal.h"
#include "detect/smallest.h"
#include "kernel/kernels.h"
#include <math.h>

/* Most pairs cost too much to be chosen.  Since
 *     cost(v, g) >= floor(v) - iou_factor ln(u + 1e-7),    floor(v) <= background(v) - QFL(largest logit of v, 0),
 * one that is to cost no more than some bound needs
 *     u + 1e-7 >= exp((floor(v) - bound) / iou_factor) = exp((lowest floor - bound) / iou_factor) dear(v).
 * Kernels estimate u in float, too low by no more than rounding, and of pairs that overlap enough what they cost, from
 * below and above; so many of them that cost no more than this make the bound.  Only what may then be chosen has its
 * cost computed in double.  No estimate decides. */

static const double less = 1 - 1e-4;    /* times this what is needed, so that rounding excludes nothing */

/* What it costs without an object, the cost of the cheapest of the objects that took it (until one does, its floor),
 * and what estimates of its overlaps are off by at most. */
struct candidate { double background, lowest; float dear, off; int takers; };

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
    int *index;                         /* [count] which candidates these are */
    int *list;                          /* [count] */
    struct pairs pairs;
    struct smallest overlaps, costs;
    double bound;                       /* of who is to be among the costs */
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
         + 2 * arena_bytes(count, sizeof(int)) + 2 * arena_bytes(room, sizeof(struct ranked));
}

static bool take_memory(struct work *k, struct arena *tmp)
{
    const size_t count = (size_t)k->c->count, parts = parts_of(count), mark = tmp->used;
    const int room = room_of(k->config, k->c->count);
    k->candidate = arena_take(tmp, count, sizeof *k->candidate);
    k->part = arena_take(tmp, parts, sizeof *k->part);
    k->hull = arena_take(tmp, parts_of(parts), sizeof *k->hull);
    k->index = arena_take(tmp, count, sizeof *k->index);
    k->list = arena_take(tmp, count, sizeof *k->list);
    k->overlaps = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    k->costs = (struct smallest){ arena_take(tmp, (size_t)room, sizeof(struct ranked)), room, 0 };
    tmp->used = mark;
    return k->candidate && k->part && k->hull && k->index && k->list && k->overlaps.list && k->costs.list;
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

static double distance_cost(const struct work *k, int v, const double object[4])
{
    const double *a = k->c->box[v], *b = object;
    const double x = (a[0] + a[2] - b[0] - b[2]) / 2, y = (a[1] + a[3] - b[1] - b[3]) / 2;
    return pow(k->config->dis_alpha, sqrt(x * x + y * y) / k->c->stride[v] - k->config->dis_beta);
}

static double pair_cost(const struct work *k, int v, int g, const double object[4])
{
    const double background = k->candidate[v].background, logit = k->c->logit[v][k->truth->label[g]];
    const double iou = box_iou(k->c->box[v], object);
    const double cost = iou == 0 ? background + k->far : dsl_cost(k->config, background, logit, iou);
    return k->config->dis_alpha > 0 ? cost + distance_cost(k, v, object) : cost;
}

/* The u + 1e-7 that a pair on the lowest floor needs, less what rounding may take; 0 excludes nothing. */
static float need_of(const struct work *k, double bound)
{
    const double exponent = (k->lowest_floor - bound) / k->config->iou_factor;
    return exponent > -80 ? (float)less * expf((float)exponent) : 0;
}

/* No less than QFL(x, 0): of a logit x = -t < 0 it is below 2 p^3, and p <= 1 / (2 + t + t^2 / 2), e^t being larger. */
static double most_absent(double x)
{
    const double p = 1 / (2 - x + x * x / 2);
    return x < 0 ? 2 * p * p * p : x + 0.174;
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

/* What estimates of overlaps with this box are off by at most: put_box adds strips along its sides, of a third of this
 * width, and what they add to the intersection is taken from the union. */
static float overlap_error(const double box[4])
{
    double far = 0;
    for (int i = 0; i < 4; i++)
        far = fmax(far, fabs(box[i]));
    const double area = box_area(box), strips = 1e-6 * far * (fabs(box[2] - box[0]) + fabs(box[3] - box[1]));
    return area > 0 ? (float)(strips / area) : INFINITY;
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
        const double floor = background - most_absent(c->kernels->largest(c->classes, c->logit[v]));
        *to = (struct candidate){ .background = background, .lowest = floor };
        k->lowest_floor = fmin(k->lowest_floor, floor);
        if (to->background + k->far < k->candidate[k->plainest].background + k->far)
            k->plainest = v;
    }
    for (int v = 0; v < c->count; v++) {
        struct candidate *to = &k->candidate[v];
        const double above = (to->lowest - k->lowest_floor) / k->config->iou_factor;
        to->dear = expf((float)fmin(above, 40));                /* finite; too low only says less */
        to->off = overlap_error(c->box[v]);
        put_box(k->part, v, c->box[v], to->dear);
        k->index[v] = v;
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

/* Bounds the costs of pairs with object g, no more than PAIRS.  Returns what so many of them do not exceed. */
static double judge(struct work *k, int g, const double object[4], const int *list, int count, int many)
{
    const bool distance = k->config->dis_alpha > 0;
    for (int i = 0; i < count; i++) {
        const int at = list[i], v = k->index[at];
        const struct candidate *c = &k->candidate[v];
        k->pairs.logit[i] = k->c->logit[v][k->truth->label[g]];
        k->pairs.iou[i] = k->part[at / HULL].iou[at % HULL];
        k->pairs.off[i] = k->pairs.iou[i] > 0 ? c->off : 0;
        k->pairs.apart[i] = (float)(distance ? c->background + distance_cost(k, v, object) : c->background);
    }
    return k->c->kernels->costs((float)k->config->iou_factor, count, &k->pairs, many);
}

/* Offers those of the pairs that may be among the cheapest. */
static void offer(struct work *k, int g, const double object[4], const int *list, int count)
{
    int some[PAIRS];
    for (int from = 0; from < count; from += PAIRS) {
        const int pairs = least(count - from, PAIRS);
        k->bound = fmin(k->bound, judge(k, g, object, list + from, pairs, k->costs.room));
        const int n = k->c->kernels->list_costs(pairs, &k->pairs, (float)k->bound, some);
        for (int i = 0; i < n; i++) {
            const int v = list[from + some[i]];
            smallest_offer(&k->costs, pair_cost(k, v, g, object), v);
        }
        k->bound = fmin(k->bound, last_of(&k->costs, INFINITY));
    }
}

/* Lists what may be cheap enough.  Where one is to be taken, the plainest stands for all that lie apart. */
static int list_rest(struct work *k, int g, const double object[4])
{
    const int v = k->plainest;
    if (k->costs.room == 1 && k->config->dis_alpha <= 0 && k->part[v / HULL].iou[v % HULL] == 0) {
        offer(k, g, object, &v, 1);
        if (need_of(k, k->bound) < 1e-7f)
            return list_pairs(k, 0, 0);
    }
    return list_pairs(k, need_of(k, k->bound), -1e-7f);
}

/* Finds the cheapest candidates for object g; those that overlap it most give the first bound. */
static void find_cheapest(struct work *k, int g)
{
    double object[4];
    box_widen(k->truth->box[g], object);
    find_overlaps(k, g, object);
    k->costs.count = 0;
    k->costs.room = least(to_take(&k->overlaps), k->overlaps.room);
    for (int i = 0; i < k->overlaps.count; i++)
        k->list[i] = k->overlaps.list[i].index;
    k->bound = judge(k, g, object, k->list, least(k->overlaps.count, PAIRS), k->costs.room);
    offer(k, g, object, k->list, list_rest(k, g, object));
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
        put_box(k->part, count, k->c->box[v], need_of(k, c->lowest) * c->dear);
        k->index[count++] = v;
    }
    close_parts(k, count);
    return count;
}

/* Gives contested candidates, in boxes of the list, to object g if it is the cheapest for them. */
static void contest(struct work *k, int g, const double object[4], const int *list, int count)
{
    judge(k, g, object, list, count, 0);
    for (int i = 0; i < count; i++) {
        const int at = list[i], v = k->index[at];
        struct candidate *c = &k->candidate[v];
        if (k->pairs.least[i] > c->lowest)
            continue;
        const double cost = pair_cost(k, v, g, object);
        if (cost < c->lowest || (cost == c->lowest && g < k->match[v])) {
            c->lowest = cost;
            k->match[v] = g;
            k->part[at / HULL].dear[at % HULL] = need_of(k, cost) * c->dear;
        }
    }
}

static void settle(struct work *k)
{
    const int count = list_contests(k);
    double object[4];
    for (int g = 0; g < k->truth->objects && count > 0; g++) {
        box_widen(k->truth->box[g], object);
        k->c->kernels->overlaps(k->parts, k->part, k->hull, k->truth->box[g], 0);
        const int pairs = list_pairs(k, 1, -1e-7f);
        for (int from = 0; from < pairs; from += PAIRS)
            contest(k, g, object, k->list + from, least(pairs - from, PAIRS));
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
