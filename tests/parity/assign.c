/* The room "assign": both assigners, and the coding of boxes. */
#include "../dsl_background.h"
#include "../policy.h"
#include "fixture.h"

#include "detect/atss_assigner.h"
#include "detect/box.h"
#include "detect/dsl_assigner.h"
#include "detect/focal.h"
#include "detect/prior.h"
#include "kernel/kernels.h"
#include "rooms.h"
#include <math.h>
#include <stdlib.h>

struct trial {
    struct parity *p;
    const char *path;
    struct tensors t;
    struct prior_grid grid;
    struct ground_truth truth;
    struct arena tmp;
    int *match;                 /* [priors] */
    double *iou;
};

static bool begin(struct trial *k, const char *points, double offset)
{
    int stride[LEVELS_MAX];
    struct tensors *t = &k->t;
    const int levels = fixture_list(t, "strides", stride, LEVELS_MAX);
    struct error err = {0};
    if (!prior_grid_init(&k->grid, stride, levels, offset, 1, (int)fixture_number(t, "height", 0),
                         (int)fixture_number(t, "width", 0), &err)) {
        parity_fail(k->p, k->path, "%s", err.text);
        return false;
    }
    k->truth = (struct ground_truth){
        .objects = fixture_extent(t, "gt_boxes", 0), .box = (void *)fixture_floats(t, "gt_boxes"),
        .label = fixture_ints(t, "gt_labels"), .ignored = fixture_extent(t, "gt_ignore", 0),
        .ignore = (void *)fixture_floats(t, "gt_ignore"),
    };
    const size_t priors = (size_t)prior_count(&k->grid);
    k->match = tensors_block(t, priors, sizeof *k->match, NULL);
    k->iou = tensors_block(t, priors, sizeof *k->iou, NULL);
    if (k->truth.box && k->truth.label && k->match && k->iou && fixture_extent(t, points, 0) == (int)priors)
        return true;
    parity_fail(k->p, k->path, "no gt_boxes, gt_labels or %zu %s", priors, points);
    return false;
}

/* Number of priors that differ from those of the fixture, given as [priors][4]. */
static void compare_points(struct trial *k, const char *name, void (*of)(struct prior, double *))
{
    const double *want = fixture_doubles(&k->t, name);
    double got[4], worst = 0;
    for (int i = 0; i < prior_count(&k->grid); i++) {
        of(prior_at(&k->grid, i), got);
        worst = fmax(worst, fixture_distance(got, want + 4 * i, 4));
    }
    parity_compare(k->p, k->path, worst, 0, name);
}

static void point_of(struct prior p, double *out)
{
    out[0] = p.x;
    out[1] = p.y;
    out[2] = out[3] = p.stride;
}

/* Ties go to the lowest prior, as in the tensors *_lowest.  The original fails with ignore regions; the fixture
 * has the intended matches then, without overlaps and labels. */
static void compare(struct trial *k)
{
    const int *intended = fixture_ints(&k->t, "gt_inds_ignore_intended");
    const int *want = intended ? intended : fixture_ints(&k->t, "gt_inds_lowest");
    const int *label = fixture_ints(&k->t, "labels_lowest");
    const double *overlap = fixture_doubles(&k->t, "max_overlaps_lowest");
    double wrong = 0, mislabelled = 0, worst = 0;
    for (int i = 0; i < prior_count(&k->grid); i++) {
        const int m = k->match[i];
        wrong += want[i] != (m == MATCH_IGNORED ? -1 : m == MATCH_BACKGROUND ? 0 : m + 1);
        if (m == MATCH_IGNORED && intended)
            continue;
        mislabelled += label[i] != (m < 0 ? -1 : k->truth.label[m]);
        worst = fmax(worst, fabs(k->iou[i] - fmax(overlap[i], 0)));     /* theirs is -1e8 without an object */
    }
    parity_compare(k->p, k->path, wrong, 0, "gt_inds");
    parity_compare(k->p, k->path, mislabelled, 0, "labels");
    parity_compare(k->p, k->path, worst, 1e-9, "max_overlaps");
}

static void compare_cost(struct trial *k, const struct dsl_config *config, const struct dsl_candidates *c)
{
    const double *want = fixture_doubles(&k->t, "cost");
    double *got = tensors_block(&k->t, (size_t)c->count * (size_t)k->truth.objects, sizeof *got, NULL), object[4];
    for (int v = 0; v < c->count; v++)
        for (int g = 0; g < k->truth.objects; g++) {
            box_to_double(k->truth.box[g], object);
            const double iou = box_iou(c->box[v], object);
            got[v * k->truth.objects + g] = dsl_cost(config, c->background[v], c->logit[v][k->truth.label[g]], iou,
                                                     iou);
        }
    parity_compare(k->p, k->path, fixture_distance(got, want, (size_t)c->count * (size_t)k->truth.objects), 1e-9,
                   "cost");
}

static void dsl(struct trial *k)
{
    struct tensors *t = &k->t;
    if (!begin(k, "priors", 0))
        return;
    const struct dsl_config config = { .topk = (int)fixture_number(t, "topk", 13),
                                       .iou_factor = fixture_number(t, "iou_factor", 3),
                                       .ignore_iof_thr = fixture_number(t, "ignore_iof_thr", -1) };
    const int priors = prior_count(&k->grid), classes = fixture_extent(t, "scores", 1);
    const double (*decoded)[4] = (void *)fixture_doubles(t, "decoded");
    const float *scores = fixture_floats(t, "scores"), **logit = tensors_block(t, (size_t)priors, sizeof *logit, NULL);
    const int *valid = fixture_ints(t, "valid_inds");
    bool *inside = tensors_block(t, (size_t)priors, sizeof *inside, NULL);
    double (*box)[4] = tensors_block(t, (size_t)priors, sizeof *box, NULL);
    double *background = tensors_block(t, (size_t)priors, sizeof *background, NULL);
    int count = 0, wrong = 0;

    compare_points(k, "priors", point_of);
    priors_inside(&k->grid, k->truth.objects, k->truth.box, inside);
    for (int i = 0; i < priors; i++) {
        if (!inside[i])
            continue;
        wrong += valid && (count >= fixture_extent(t, "valid_inds", 0) || valid[count] != i);
        for (int j = 0; j < 4; j++)
            box[count][j] = decoded[i][j];
        logit[count] = scores + (ptrdiff_t)i * classes;
        background[count] = dsl_background(logit[count], classes);
        count++;
    }
    parity_compare(k->p, k->path, wrong + abs(count - (int)fixture_number(t, "valid_priors", count)), 0, "candidates");
    const struct dsl_candidates candidates = { count, classes, (const double (*)[4])box, logit, NULL, background,
                                               kernels_under_test() };
    int *match = tensors_block(t, (size_t)count, sizeof *match, NULL);
    double *iou = tensors_block(t, (size_t)count, sizeof *iou, NULL);
    if (!arena_init(&k->tmp, dsl_bytes(&config, count), NULL)
        || !dsl_assign(&config, &candidates, &k->truth, &k->tmp, match, iou)) {
        parity_fail(k->p, k->path, "dsl_bytes is too small");
        return;
    }
    for (int i = 0, v = 0; i < priors; i++) {
        k->match[i] = inside[i] ? match[v] : MATCH_BACKGROUND;
        k->iou[i] = inside[i] ? iou[v++] : 0;
    }
    compare(k);
    if (tensors_find(t, "cost"))
        compare_cost(k, &config, &candidates);
}

static struct atss_config atss_config;          /* of the case at hand */

static void anchor_of(struct prior p, double *out)
{
    atss_anchor(&atss_config, p, out);
}

static void atss(struct trial *k)
{
    if (!begin(k, "anchors", 0.5))
        return;
    atss_config = (struct atss_config){ (int)fixture_number(&k->t, "topk", 9),
                                        fixture_number(&k->t, "anchor_scale", 5),
                                        fixture_number(&k->t, "ignore_iof_thr", -1) };
    compare_points(k, "anchors", anchor_of);
    if (!arena_init(&k->tmp, atss_bytes(&atss_config, &k->grid), NULL)
        || !atss_assign(&atss_config, &k->grid, &k->truth, &k->tmp, k->match, k->iou))
        parity_fail(k->p, k->path, "atss_bytes is too small");
    else
        compare(k);
}

/* Compares a function of a box, four numbers per row. */
static void compare_rows(struct trial *k, const char *name, const double *got)
{
    const size_t count = 4 * (size_t)fixture_extent(&k->t, name, 0);
    parity_compare(k->p, k->path, fixture_distance(got, fixture_doubles(&k->t, name), count), 1e-12, name);
}

static void distances(struct trial *k)
{
    const double (*point)[2] = (void *)fixture_doubles(&k->t, "points");
    const double (*distance)[4] = (void *)fixture_doubles(&k->t, "distances");
    const double (*object)[4] = (void *)fixture_doubles(&k->t, "gt_boxes");
    const int count = fixture_extent(&k->t, "points", 0);
    double (*box)[4] = tensors_block(&k->t, (size_t)count, sizeof *box, NULL);
    double (*clipped)[4] = tensors_block(&k->t, (size_t)count, sizeof *clipped, NULL);
    double (*signed_)[4] = tensors_block(&k->t, (size_t)count, sizeof *signed_, NULL);
    double (*max7)[4] = tensors_block(&k->t, (size_t)count, sizeof *max7, NULL);
    for (int i = 0; i < count; i++) {
        const double x = point[i][0], y = point[i][1];
        box_from_distance(x, y, distance[i], box[i]);
        box_from_distance(x, y, distance[i], clipped[i]);
        box_clip(clipped[i], 416, 320);
        box_to_distance(x, y, object[i], signed_[i]);
        box_to_target(x, y, object[i], 8, 7, max7[i]);
    }
    compare_rows(k, "boxes", *box);
    compare_rows(k, "boxes_clipped_h320_w416", *clipped);
    compare_rows(k, "gt_distances", *signed_);
    compare_rows(k, "gt_distances_max7", *max7);
}

static void integrals(struct trial *k, const char *in, const char *name)
{
    const double *x = fixture_doubles(&k->t, in);
    const int rows = fixture_extent(&k->t, in, 0), bins = fixture_extent(&k->t, in, 1) / 4;
    double *got = tensors_block(&k->t, (size_t)rows * 4, sizeof *got, NULL);
    double *p = tensors_block(&k->t, (size_t)rows * 4 * (size_t)bins, sizeof *p, NULL);
    kernels_under_test()->softmax_double(4 * rows, bins, 1, x, p);
    for (int i = 0; i < 4 * rows; i++)
        got[i] = integral(p + (ptrdiff_t)i * bins, bins);
    compare_rows(k, name, got);
}

static void overlaps(struct trial *k, const char *aligned, const char *pairwise,
                     double (*of)(const double *, const double *))
{
    const double (*a)[4] = (void *)fixture_doubles(&k->t, "iou_a"), (*b)[4] = (void *)fixture_doubles(&k->t, "iou_b");
    const int n = fixture_extent(&k->t, "iou_a", 0), m = fixture_extent(&k->t, "iou_b", 0);
    double *pair = tensors_block(&k->t, (size_t)n * (size_t)m, sizeof *pair, NULL);
    double *line = tensors_block(&k->t, (size_t)n, sizeof *line, NULL);
    for (int i = 0; i < n; i++) {
        line[i] = of(a[i], b[i]);
        for (int j = 0; j < m; j++)
            pair[i * m + j] = of(a[i], b[j]);
    }
    parity_compare(k->p, k->path, fixture_distance(line, fixture_doubles(&k->t, aligned), (size_t)n), 1e-12, aligned);
    parity_compare(k->p, k->path, fixture_distance(pair, fixture_doubles(&k->t, pairwise), (size_t)(n * m)), 1e-12,
                   pairwise);
}

static void box_coding(struct trial *k)
{
    distances(k);
    integrals(k, "integral_in", "integral_out");
    integrals(k, "integral16_in", "integral16_out");
    overlaps(k, "iou_aligned", "iou_pairwise", box_iou);
    overlaps(k, "iof_aligned", "iof_pairwise", box_iof);
    overlaps(k, "giou_aligned", "giou_pairwise", box_giou);
}

void parity_assign(struct parity *p, const char *path)
{
    struct trial k = { .p = p, .path = path };
    if (fixture_open(&k.t, p, path)) {
        if (tensors_find(&k.t, "integral_in"))
            box_coding(&k);
        else if (tensors_find(&k.t, "anchors"))
            atss(&k);
        else
            dsl(&k);
    }
    arena_free(&k.tmp);
    tensors_free(&k.t);
}
