#include "eval/test_report.h"

#include "base/json.h"
#include <stdlib.h>

/* cJSON's functions take NULL and then return NULL, so that one question at the end of an object is enough. */

static bool add_number(cJSON *to, const char *name, double value) { return cJSON_AddNumberToObject(to, name, value); }

static cJSON *add_object(cJSON *list) { return json_add(list, NULL, cJSON_CreateObject()); }

static bool add_figures(cJSON *to, const double *figures)
{
    bool ok = true;
    for (int i = 0; i < COCO_FIGURES; i++)
        ok = add_number(to, coco_figure_name(i), figures[i]) && ok;
    return ok;
}

static bool add_visdrone(cJSON *to, const struct visdrone_score *score)
{
    bool ok = true;
    for (int i = 0; i < VISDRONE_FIGURES; i++)
        ok = add_number(to, visdrone_figure_name(i), score->figures[i]) && ok;
    return ok;
}

static bool add_best(cJSON *to, const struct best_point *best)
{
    bool ok = add_number(to, "threshold", best->threshold);
    for (int kind = 0; kind < CURVE_KINDS; kind++)
        ok = add_number(to, curve_name((enum curve_kind)kind), best->of[kind]) && ok;
    return ok;
}

static bool add_classes(cJSON *json, const struct test_report *r)
{
    cJSON *list = cJSON_AddArrayToObject(json, "per_class");
    bool ok = list != NULL;
    for (int i = 0; ok && i < r->score->class_count; i++) {
        const struct coco_class *c = &r->score->classes[i];
        cJSON *one = add_object(list);
        ok = add_number(one, "id", (double)c->id) && cJSON_AddStringToObject(one, "name", c->name)
          && add_number(one, "objects", r->curves->classes[i].objects) && add_figures(one, c->figures)
          && add_best(one, &r->curves->classes[i].best);
    }
    return ok;
}

static bool add_errors(cJSON *json, const struct tide *t)
{
    cJSON *errors = cJSON_AddObjectToObject(json, "errors");
    bool ok = add_number(errors, "AP50", t->ap50);
    for (int e = 0; e < TIDE_ERRORS; e++) {
        cJSON *one = cJSON_AddObjectToObject(errors, tide_error_name((enum tide_error)e));
        ok = add_number(one, "count", t->errors[e].count) && add_number(one, "cost", t->errors[e].cost) && ok;
    }
    return add_number(errors, "false_positives", t->false_positives)
        && add_number(errors, "false_negatives", t->false_negatives) && ok;
}

/* null: background. */
static bool add_class_name(cJSON *to, const char *key, const struct dataset *gt, int class)
{
    return class < gt->category_count ? cJSON_AddStringToObject(to, key, gt->categories[class].name)
                                      : cJSON_AddNullToObject(to, key);
}

/* Only the cells that are not 0: a matrix of a thousand classes has a million. */
static bool add_confusion(cJSON *json, const struct test_report *r, const struct analysis *a)
{
    const struct confusion *c = &a->confusion;
    cJSON *object = cJSON_AddObjectToObject(json, "confusion"), *list = NULL;
    bool ok = add_number(object, "threshold", a->threshold) && add_number(object, "iou", OUTCOME_IOU)
           && (list = cJSON_AddArrayToObject(object, "cells"));
    for (int t = 0; ok && t <= c->classes; t++)
        for (int p = 0; ok && p <= c->classes; p++) {
            const int count = *confusion_cell(c, t, p);
            if (count == 0)
                continue;
            cJSON *one = add_object(list);
            ok = add_class_name(one, "truth", r->gt, t) && add_class_name(one, "predicted", r->gt, p)
              && add_number(one, "count", count);
        }
    return ok;
}

enum { CURVE_STEP = 10 };               /* every tenth threshold */

static bool add_curves(cJSON *json, const struct curve *curve)
{
    double values[CURVE_POINTS / CURVE_STEP];
    cJSON *object = cJSON_AddObjectToObject(json, "curves");
    bool ok = object != NULL;
    for (int kind = -1; ok && kind < CURVE_KINDS; kind++) {
        for (int i = 0; i < CURVE_POINTS / CURVE_STEP; i++)
            values[i] = kind < 0 ? curve_threshold(i * CURVE_STEP) : curve->of[kind][i * CURVE_STEP];
        ok = json_add(object, kind < 0 ? "threshold" : curve_name((enum curve_kind)kind),
                      cJSON_CreateDoubleArray(values, CURVE_POINTS / CURVE_STEP));
    }
    return ok;
}

static bool add_sizes(cJSON *json, const struct test_report *r, const struct analysis *a)
{
    cJSON *sizes = cJSON_AddObjectToObject(json, "sizes");
    bool ok = true;
    for (int i = 0; i < OBJECT_SIZES; i++) {
        cJSON *one = cJSON_AddObjectToObject(sizes, object_size_name(i));
        ok = add_number(one, "objects", a->objects_of[i]) && add_number(one, "AP", r->score->figures[COCO_APS + i])
          && add_number(one, "AR", r->score->figures[COCO_ARS + i]) && ok;
    }
    return ok;
}

static bool add_calibration(cJSON *json, const struct calibration *c)
{
    cJSON *object = cJSON_AddObjectToObject(json, "calibration"), *bins = NULL;
    bool ok = add_number(object, "error", c->error) && (bins = cJSON_AddArrayToObject(object, "bins"));
    for (int i = 0; ok && i < CALIBRATION_BINS; i++) {
        cJSON *one = add_object(bins);
        ok = add_number(one, "from", (double)i / CALIBRATION_BINS)
          && add_number(one, "to", (double)(i + 1) / CALIBRATION_BINS) && add_number(one, "count", c->bins[i].count)
          && add_number(one, "score", c->bins[i].score) && add_number(one, "right", c->bins[i].right);
    }
    return ok;
}

static bool add_worst(cJSON *json, const struct test_report *r, const struct analysis *a)
{
    enum { WORST = 100 };
    cJSON *list = cJSON_AddArrayToObject(json, "worst_images");
    bool ok = list != NULL;
    for (int i = 0; ok && i < a->worst_count && i < WORST; i++) {
        const struct image_errors *e = &a->worst[i];
        cJSON *one = add_object(list);
        ok = cJSON_AddStringToObject(one, "file", r->gt->images[e->image].file) && add_number(one, "wrong", e->wrong)
          && add_number(one, "missed", e->missed);
    }
    return ok;
}

bool test_report_json(const struct test_report *r, const struct analysis *a, struct strbuf *text, struct error *err)
{
    cJSON *json = cJSON_CreateObject();
    const bool ok = cJSON_AddStringToObject(json, "model", r->model)
                 && cJSON_AddStringToObject(json, "data", r->data)
                 && json_add(json, "input", cJSON_CreateIntArray(r->input, 2))
                 && add_number(json, "images", r->gt->image_count) && add_number(json, "objects", a->objects)
                 && add_number(json, "detections", r->dets->count)
                 && add_figures(cJSON_AddObjectToObject(json, "score"), r->score->figures)
                 && (!r->visdrone || add_visdrone(cJSON_AddObjectToObject(json, "visdrone"), r->visdrone))
                 && add_best(cJSON_AddObjectToObject(json, "best"), &r->curves->best)
                 && add_classes(json, r) && add_errors(json, &a->tide) && add_confusion(json, r, a)
                 && add_curves(json, &r->curves->mean) && add_sizes(json, r, a)
                 && add_calibration(json, &a->calibration) && add_worst(json, r, a);
    char *printed = ok ? json_print(json) : NULL;
    if (printed)
        strbuf_addf(text, "%s\n", printed);
    free(printed);
    cJSON_Delete(json);
    return printed ? strbuf_check(text, err) : fail(err, "out of memory for a report");
}
