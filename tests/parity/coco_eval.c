/* A case: gt.json, dt.json, and the figures of pycocotools, expected.json. */
#include "../json_file.h"
#include "base/path.h"
#include "rooms.h"

#include "base/file.h"
#include "data/dataset_read.h"
#include "eval/coco_eval.h"
#include "figures.h"
#include <math.h>
#include <stdlib.h>

static const double tolerance = 1e-9;

static double classes_off(const cJSON *list, const struct coco_score *score)
{
    double worst = cJSON_GetArraySize(list) == score->class_count ? 0 : INFINITY;
    for (int i = 0; i < score->class_count; i++) {
        const cJSON *want = cJSON_GetArrayItem(list, i);
        const struct coco_class *c = &score->classes[i];
        worst = worse(worst, number_off(cJSON_GetObjectItem(want, "category_id"), (double)c->id));
        worst = worse(worst, number_off(cJSON_GetObjectItem(want, "ap"), c->ap));
        worst = worse(worst, number_off(cJSON_GetObjectItem(want, "ap50"), c->ap50));
        worst = worse(worst, number_off(cJSON_GetObjectItem(want, "ar"), c->ar));
    }
    return worst;
}

/* Means over the classes that have objects, at each threshold. */
static void mean_per_iou(const struct coco_score *score, double precision[COCO_IOUS], double recall[COCO_IOUS])
{
    for (int t = 0; t < COCO_IOUS; t++) {
        int n = 0;
        precision[t] = recall[t] = 0;
        for (int i = 0; i < score->class_count; i++) {
            const struct coco_class *c = &score->classes[i];
            if (c->recall[t] < 0)
                continue;
            n++;
            recall[t] += c->recall[t];
            for (int r = 0; r < COCO_RECALLS; r++)
                precision[t] += c->precision[t][r];
        }
        recall[t] = n ? recall[t] / n : -1;
        precision[t] = n ? precision[t] / n / COCO_RECALLS : -1;
    }
}

/* The first classes' precision at one threshold; cases with many classes do not have it. */
static double curves_off(const cJSON *list, const struct coco_score *score, int iou)
{
    double worst = cJSON_GetArraySize(list) <= score->class_count ? 0 : INFINITY;
    for (int i = 0; i < cJSON_GetArraySize(list) && i < score->class_count; i++)
        worst = worse(worst, numbers_off(cJSON_GetArrayItem(list, i), score->classes[i].precision[iou], COCO_RECALLS));
    return worst;
}

static void compare(struct parity *p, const char *path, const cJSON *want, const struct coco_score *score)
{
    double precision[COCO_IOUS], recall[COCO_IOUS];
    mean_per_iou(score, precision, recall);
    double worst = numbers_off(cJSON_GetObjectItem(want, "stats"), score->figures, COCO_FIGURES);
    worst = worse(worst, classes_off(cJSON_GetObjectItem(want, "per_class"), score));
    worst = worse(worst, numbers_off(cJSON_GetObjectItem(want, "precision_mean_per_iou"), precision, COCO_IOUS));
    worst = worse(worst, numbers_off(cJSON_GetObjectItem(want, "recall_mean_per_iou"), recall, COCO_IOUS));
    worst = worse(worst, curves_off(cJSON_GetObjectItem(want, "precision_101_iou50"), score, 0));
    worst = worse(worst, curves_off(cJSON_GetObjectItem(want, "precision_101_iou75"), score, 5));
    parity_compare(p, path, worst, tolerance, "figures, classes, precision and recall");
}

static bool read_limits(const cJSON *want, int max_dets[3])
{
    const cJSON *limits = cJSON_GetObjectItem(want, "max_dets");
    bool ok = cJSON_GetArraySize(limits) == 3;
    for (int i = 0; i < 3; i++)
        ok = ok && json_int(cJSON_GetArrayItem(limits, i), &max_dets[i]);
    return ok;
}

void parity_coco_eval(struct parity *p, const char *path)
{
    const struct team team = { default_threads() };
    struct error err = {0};
    struct dataset truth = {0};
    struct detections found = {0};
    struct coco_score score = {0};
    int max_dets[3];
    char *gt = path_join(path, "gt.json", &err), *dt = path_join(path, "dt.json", &err);
    char *expected = path_join(path, "expected.json", &err);
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = gt };
    cJSON *want = gt && dt && expected ? json_read(expected, &err) : NULL;
    if (want && (read_limits(want, max_dets) || fail(&err, "max_dets must be three numbers"))
        && dataset_read(&truth, &source, &err) && detections_read(&found, dt, &truth, &err)
        && coco_eval(&score, &truth, &found, max_dets, &team, &err))
        compare(p, path, want, &score);
    else
        parity_fail(p, path, "%s", err.text);
    cJSON_Delete(want);
    coco_score_free(&score);
    detections_free(&found);
    dataset_free(&truth);
    free(gt);
    free(dt);
    free(expected);
}
