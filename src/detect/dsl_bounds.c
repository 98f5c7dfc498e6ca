/* Proof of the bounds.  u is the exact IoU of candidate v and object g, f the IoU factor, x a logit.
 *
 * 1. Required IoU.  Neither QFL(x, u) nor the distance term is negative, and QFL(x, 0) rises with x, so
 *        cost(v, g) >= floor(v) - f ln(u + 1e-7),    floor(v) = background(v) - max_absent(largest logit of v),
 *    where max_absent(x) >= QFL(x, 0).  With L the lowest floor, a cost of at most `limit` therefore requires
 *        u + 1e-7 >= exp((floor(v) - limit) / f) = exp((L - limit) / f) exp((floor(v) - L) / f).
 *    The first factor (required_iou) depends on the object, the second (iou_factor) on the candidate only.
 *
 * 2. max_absent.  Let p = sigmoid(x).  QFL(x, 0) = -p^2 ln(1 - p).  For x = -t < 0, p <= 1/2 and -ln(1 - p) <= 2 p, so
 *    QFL <= 2 p^3; and p = 1 / (1 + e^t) <= 1 / (2 + t + t^2 / 2).  For x >= 0, QFL - x = p^2 ln(1/p) - (1 - p^2) x is
 *    0.1733 at x = 0 and falls up to x = 1/2; from there on it is negative, since ln(1/p) <= (1 - p) / p makes it at
 *    most (1 - p) (p - (1 + p) x).
 *
 * 3. Estimated IoU.  put_box rounds edges outwards, so the intersection is never too small and, areas being rounded to
 *    nearest, the estimate is at least u (1 - 1e-6).  It exceeds u by at most iou_error(v): widening adds strips along
 *    the sides to the intersection and takes the same area from the union.  An estimate of 0 means no overlap.
 *
 * 4. Rounding.  Thresholds are multiplied by 1 - 1e-4.  This exceeds the float rounding errors of 1, whose exponents
 *    are at most 80 in magnitude (relative error 80 * 2^-24), and of 3.
 *
 * 5. Cost bounds.  kernels->bound_focal_terms computes lower bounds of the costs and a limit that k of the pairs do not
 *    exceed, both with a margin for rounding.  If k pairs of an object cost at most `limit`, none of its k cheapest
 *    costs more.
 *
 * 6. Blocks.  A block's bounds enclose its boxes and have the least factor and the largest IoU of these: if the bounds
 *    miss a threshold, every box in the block does.
 *
 * 7. Wasserstein distance.  1 holds for any overlap o in place of u in the logarithm, since QFL(x, u) >= 0 for any u.
 *    3, 5 and 6 hold for IoUs alone. */
#include "detect/dsl_bounds.h"

#include "base/min_max.h"
#include "detect/box.h"
#include <math.h>

static const double margin = 1 - 1e-4;          /* proof, 4 */

/* ---- Memory ---- */

static size_t blocks_of(size_t boxes)
{
    return boxes / BOX_BLOCK + 1;
}

size_t dsl_bounds_bytes(int candidates)
{
    const size_t count = (size_t)candidates, blocks = blocks_of(count);
    return arena_bytes(count, sizeof(double))
         + 2 * arena_bytes(count, sizeof(float)) + 2 * arena_bytes(count, sizeof(int))
         + arena_bytes(blocks, sizeof(struct boxes)) + arena_bytes(blocks_of(blocks), sizeof(struct boxes));
}

static bool take_memory(struct dsl_bounds *b, struct arena *tmp)
{
    const size_t count = (size_t)b->candidates->count, blocks = blocks_of(count);
    b->floor = arena_take(tmp, count, sizeof *b->floor);
    b->iou_factor = arena_take(tmp, count, sizeof *b->iou_factor);
    b->iou_error = arena_take(tmp, count, sizeof *b->iou_error);
    b->candidate = arena_take(tmp, count, sizeof *b->candidate);
    b->list = arena_take(tmp, count, sizeof *b->list);
    b->block = arena_take(tmp, blocks, sizeof *b->block);
    b->bound = arena_take(tmp, blocks_of(blocks), sizeof *b->bound);
    return b->floor && b->iou_factor && b->iou_error && b->candidate && b->list && b->block && b->bound;
}

/* ---- Bounds of one candidate ---- */

/* At least QFL(x, 0) (proof, 2). */
static double max_absent(double x)
{
    const double p = 1 / (2 - x + x * x / 2);
    return x < 0 ? 2 * p * p * p : x + 0.174;
}

/* The strips are a third as wide as allowed for here (proof, 3). */
static float iou_error(const double box[4])
{
    double largest = 0;
    for (int i = 0; i < 4; i++)
        largest = fmax(largest, fabs(box[i]));
    const double area = box_area(box), strips = 1e-6 * largest * (fabs(box[2] - box[0]) + fabs(box[3] - box[1]));
    return area > 0 ? (float)(strips / area) : INFINITY;
}

/* The factor of the required IoU that depends on the object (proof, 1); 0 excludes nothing. */
static float required_iou(const struct dsl_bounds *b, double limit)
{
    const double exponent = (b->lowest_floor - limit) / b->config->iou_factor;
    return exponent > -80 ? (float)margin * expf((float)exponent) : 0;
}

double dsl_bounds_overlap(const struct dsl_bounds *b, int v, double limit)
{
    return (double)required_iou(b, limit) * b->iou_factor[v] - 1e-7;
}

/* ---- Blocks ---- */

/* Box i, its edges rounded outwards. */
static void put_box(struct boxes *blocks, int i, const double box[4], float factor)
{
    struct boxes *b = &blocks[i / BOX_BLOCK];
    const int at = i % BOX_BLOCK;
    b->x1[at] = (float)(box[0] - 1e-7 * fabs(box[0]));
    b->y1[at] = (float)(box[1] - 1e-7 * fabs(box[1]));
    b->x2[at] = (float)(box[2] + 1e-7 * fabs(box[2]));
    b->y2[at] = (float)(box[3] + 1e-7 * fabs(box[3]));
    b->area[at] = (float)box_area(box);
    b->factor[at] = factor;
}

static void extend(float *low, float *high, float from, float to)
{
    *low = from < *low ? from : *low;
    *high = to > *high ? to : *high;
}

/* Fills the last block with boxes that overlap nothing, and sets the bounds of all blocks. */
static void close_blocks(struct dsl_bounds *b, int count)
{
    static const double nowhere[4] = { 1e15, 1e15, -1e15, -1e15 };
    b->blocks = (count + BOX_BLOCK - 1) / BOX_BLOCK;
    for (int i = count; i < b->blocks * BOX_BLOCK; i++)
        put_box(b->block, i, nowhere, INFINITY);
    for (int i = 0; i < b->blocks; i++) {
        const struct boxes *block = &b->block[i];
        struct boxes *bound = &b->bound[i / BOX_BLOCK];
        const int at = i % BOX_BLOCK;
        if (at == 0)
            for (int j = 0; j < BOX_BLOCK; j++)
                put_box(bound, j, nowhere, INFINITY);
        for (int j = 0; j < BOX_BLOCK; j++) {
            extend(&bound->x1[at], &bound->x2[at], block->x1[j], block->x2[j]);
            extend(&bound->y1[at], &bound->y2[at], block->y1[j], block->y2[j]);
            if (block->factor[j] < bound->factor[at])
                bound->factor[at] = block->factor[j];
        }
    }
}

bool dsl_bounds_init(struct dsl_bounds *b, const struct dsl_config *config, const struct dsl_candidates *candidates,
                     const struct ground_truth *truth, struct arena *tmp)
{
    const struct dsl_candidates *c = candidates;
    const double apart = dsl_cost(config, 0, 0, 0, 0);
    b->config = config;
    b->candidates = candidates;
    b->truth = truth;
    b->lowest_floor = INFINITY;
    b->cheapest_apart = 0;
    if (!take_memory(b, tmp))
        return false;
    for (int v = 0; v < c->count; v++) {
        b->floor[v] = c->background[v] - max_absent(c->kernels->largest(c->classes, c->logit[v]));
        b->lowest_floor = fmin(b->lowest_floor, b->floor[v]);
        if (c->background[v] + apart < c->background[b->cheapest_apart] + apart)
            b->cheapest_apart = v;
    }
    for (int v = 0; v < c->count; v++) {
        const double exponent = (b->floor[v] - b->lowest_floor) / config->iou_factor;
        b->iou_factor[v] = expf((float)fmin(exponent, 40));     /* finite; a lower factor excludes less */
        b->iou_error[v] = iou_error(c->box[v]);
        b->candidate[v] = v;
        put_box(b->block, v, c->box[v], b->iou_factor[v]);
    }
    close_blocks(b, c->count);
    return true;
}

/* ---- Searches ---- */

/* Estimates the IoUs of all boxes with object g.  Returns a guess of the k-th largest. */
static double estimate_ious(struct dsl_bounds *b, int g, int k)
{
    b->g = g;
    box_to_double(b->truth->box[g], b->object);
    return b->candidates->kernels->iou_with_box(b->blocks, b->block, b->bound, b->truth->box[g], k);
}

static float estimated_iou(const struct dsl_bounds *b, int position)
{
    return b->block[position / BOX_BLOCK].iou[position % BOX_BLOCK];
}

/* Lists the boxes whose estimated IoU exceeds scale * factor + offset. */
static int list_boxes(const struct dsl_bounds *b, float scale, float offset)
{
    return b->candidates->kernels->list_iou_above(b->blocks, b->block, b->bound, scale, offset, b->list);
}

/* Lists candidates that may reach the guess.  If fewer than k reach it, the guess was too high: the k-th found replaces
 * it. */
void dsl_bounds_largest_ious(struct dsl_bounds *b, int g, struct bottom_k *found)
{
    double kth = 0.999 * estimate_ious(b, g, found->k), guess;
    do {
        guess = kth;
        const int count = list_boxes(b, 0, (float)(margin * guess));
        found->count = 0;
        for (int i = 0; i < count; i++)
            bottom_k_offer(found, -box_iou(b->candidates->box[b->list[i]], b->object), b->list[i]);
        kth = -bottom_k_last(found, 0);
    } while (kth < guess);
}

/* Sets the bounds of the costs of at most FOCAL_TERMS boxes.  Returns a limit that k of the costs do not exceed. */
static double bound_costs(struct dsl_bounds *b, const int *position, int count, int k)
{
    const struct dsl_candidates *c = b->candidates;
    for (int i = 0; i < count; i++) {
        const int v = b->candidate[position[i]];
        const float iou = estimated_iou(b, position[i]);
        b->pairs.x[i] = c->logit[v][b->truth->label[b->g]];
        b->pairs.u[i] = iou;
        b->pairs.u_error[i] = iou > 0 ? b->iou_error[v] : 0;
        b->pairs.rest[i] = (float)(c->background[v] + dsl_distance_cost(b->config, c, v, b->object));
    }
    return c->kernels->bound_focal_terms((float)b->config->iou_factor, count, &b->pairs, k);
}

/* Without overlap and distance term a candidate costs the same for every object.  If k = 1, the cheapest such candidate
 * therefore represents all candidates without overlap, provided that it does not overlap the object itself. */
void dsl_bounds_start_cheapest(struct dsl_bounds *b, int k, const struct bottom_k *likely)
{
    const int apart = b->cheapest_apart, few = min_int(likely->count, FOCAL_TERMS);
    const bool represented = k == 1 && b->config->dis_alpha <= 0 && estimated_iou(b, apart) == 0;
    b->k = k;
    b->next = 0;
    for (int i = 0; i < few; i++)
        b->list[i] = likely->list[i].index;
    b->limit = bound_costs(b, b->list, few, k);
    if (represented)
        b->limit = fmin(b->limit, bound_costs(b, &apart, 1, 1));
    const float required = required_iou(b, b->limit);
    if (represented && required < 1e-7f) {
        b->count = list_boxes(b, 0, 0);
        b->list[b->count++] = apart;
    } else
        b->count = list_boxes(b, required, -1e-7f);
}

int dsl_bounds_next_cheapest(struct dsl_bounds *b, double cost_limit, int list[FOCAL_TERMS])
{
    int found = 0;
    b->limit = fmin(b->limit, cost_limit);
    while (found == 0 && b->next < b->count) {
        const int *position = b->list + b->next, count = min_int(b->count - b->next, FOCAL_TERMS);
        b->limit = fmin(b->limit, bound_costs(b, position, count, b->k));
        found = b->candidates->kernels->list_low_terms(count, &b->pairs, (float)b->limit, list);
        for (int i = 0; i < found; i++)
            list[i] = b->candidate[position[list[i]]];
        b->next += count;
    }
    return found;
}

void dsl_bounds_restrict(struct dsl_bounds *b, const int *contested, int count, const double *cost)
{
    for (int i = 0; i < count; i++) {
        const int v = contested[i];
        put_box(b->block, i, b->candidates->box[v], required_iou(b, cost[v]) * b->iou_factor[v]);
        b->candidate[i] = v;
    }
    close_blocks(b, count);
}

void dsl_bounds_start_cheaper(struct dsl_bounds *b, int g)
{
    estimate_ious(b, g, 0);
    b->next = 0;
    b->count = list_boxes(b, 1, -1e-7f);
}

int dsl_bounds_next_cheaper(struct dsl_bounds *b, const double *cost, int list[FOCAL_TERMS])
{
    int found = 0;
    while (found == 0 && b->next < b->count) {
        const int *position = b->list + b->next, count = min_int(b->count - b->next, FOCAL_TERMS);
        bound_costs(b, position, count, 0);
        for (int i = 0; i < count; i++) {
            const int v = b->candidate[position[i]];
            if (b->pairs.low[i] <= cost[v])
                list[found++] = v;
        }
        b->next += count;
    }
    return found;
}
