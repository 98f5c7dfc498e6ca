/* A case: input.json, images with rows of the toolkit's text files, and its results in percent, expected.json. */
#include "../json_file.h"
#include "base/path.h"
#include "rooms.h"

#include "base/file.h"
#include "data/dataset_builder.h"
#include "eval/visdrone_eval.h"
#include "figures.h"
#include <math.h>
#include <stdlib.h>

static const double tolerance = 1e-6;           /* percent */
enum { CATEGORIES = 12 };                       /* 0 to 11; the index in the dataset is the id */

static bool read_row(const cJSON *list, double row[6])
{
    bool ok = cJSON_GetArraySize(list) >= 6;
    for (int i = 0; i < 6; i++)
        ok = ok && json_real(cJSON_GetArrayItem(list, i), &row[i]);
    return ok && row[5] >= 0 && row[5] < CATEGORIES;
}

static bool build_objects(struct dataset_builder *b, const cJSON *image, int id, struct error *err)
{
    const cJSON *list;
    double row[6];
    cJSON_ArrayForEach(list, cJSON_GetObjectItem(image, "gt")) {
        if (!read_row(list, row))
            return fail(err, "a gt must be at least six numbers");
        const struct annotation a = { .id = 1, .box = { row[0], row[1], row[2], row[3] }, .ignore = row[4] == 0 };
        if (!build_annotation(b, &a, id, (int)row[5], "gt", err))
            return false;
    }
    return true;
}

static bool add_found(struct detections *found, const cJSON *image, int index, struct error *err)
{
    const cJSON *list;
    double row[6];
    cJSON_ArrayForEach(list, cJSON_GetObjectItem(image, "dt")) {
        if (!read_row(list, row))
            return fail(err, "a dt must be six numbers");
        const struct detection d = { index, (int)row[5], { row[0], row[1], row[2], row[3] }, row[4] };
        if (!detections_add(found, d, err))
            return false;
    }
    return true;
}

static bool read_input(const cJSON *input, struct dataset *truth, struct detections *found, struct error *err)
{
    struct dataset_builder b = {0};
    const cJSON *image;
    int width, height, index = 0;
    bool ok = true;
    for (int i = 0; ok && i < CATEGORIES; i++)
        ok = build_category(&b, i, "", err);
    cJSON_ArrayForEach(image, cJSON_GetObjectItem(input, "images")) {
        ok = ok && (json_int(cJSON_GetObjectItem(image, "width"), &width) || fail(err, "an image without width"))
          && (json_int(cJSON_GetObjectItem(image, "height"), &height) || fail(err, "an image without height"))
          && build_image(&b, index, "", width, height, err) && build_objects(&b, image, index, err)
          && add_found(found, image, index, err);
        index++;
    }
    ok = ok && build_end(&b, truth, "input.json", err);
    build_free(&b);
    return ok;
}

static double percent_off(const cJSON *want, double have)
{
    return number_off(want, 100 * have);
}

static double figures_off(const cJSON *want, const double *have)
{
    double worst = 0;
    for (int i = 0; i < VISDRONE_FIGURES; i++)
        if (cJSON_HasObjectItem(want, visdrone_figure_name(i)))
            worst = worse(worst, percent_off(cJSON_GetObjectItem(want, visdrone_figure_name(i)), have[i]));
    return worst;
}

static double mean(const double v[VISDRONE_IOUS])
{
    double sum = 0;
    for (int t = 0; t < VISDRONE_IOUS; t++)
        sum += v[t];
    return sum / VISDRONE_IOUS;
}

static const cJSON *item(const cJSON *table, const char *name, int i)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(table, name), i);
}

static double class_off(const cJSON *want, const struct visdrone_class *c, int i)
{
    double worst = number_off(item(want, "images_per_class", i), c->images);
    worst = worse(worst, number_off(item(want, "gts_per_class", i), c->objects));
    worst = worse(worst, number_off(item(want, "ignored_gts_per_class", i), c->ignored));
    for (int t = 0; t < VISDRONE_IOUS; t++) {
        worst = worse(worst, percent_off(cJSON_GetArrayItem(item(want, "AP_class_iou", i), t), c->ap[t]));
        worst = worse(worst, percent_off(cJSON_GetArrayItem(item(want, "AR500_class_iou", i), t),
                                         c->ar[VISDRONE_LIMITS - 1][t]));
    }
    for (int m = 0; m < VISDRONE_LIMITS; m++)
        worst = worse(worst, percent_off(cJSON_GetArrayItem(item(want, "AR_class_maxdets", i), m), mean(c->ar[m])));
    return worst;
}

static void compare(struct parity *p, const char *path, const cJSON *want, const struct visdrone_score *score)
{
    const bool whole = cJSON_HasObjectItem(want, "AP") && cJSON_HasObjectItem(want, "AR500");
    double worst = whole ? figures_off(want, score->figures) : INFINITY;
    worst = worse(worst, figures_off(cJSON_GetObjectItem(want, "class_mean"), score->class_mean));
    for (int i = 0; i < VISDRONE_CLASSES; i++)
        worst = worse(worst, class_off(want, &score->classes[i], i));
    for (int i = 0; i < score->image_count; i++) {
        worst = worse(worst, number_off(item(want, "kept_gts", i), score->kept[i].objects));
        worst = worse(worst, number_off(item(want, "kept_dets", i), score->kept[i].detections));
    }
    parity_compare(p, path, worst, tolerance, "figures, classes and what is kept, in percent");
}

void parity_visdrone_eval(struct parity *p, const char *path)
{
    const struct team team = { default_threads() };
    struct error err = {0};
    struct dataset truth = {0};
    struct detections found = {0};
    struct visdrone_score score = {0};
    char *input_path = path_join(path, "input.json", &err), *want_path = path_join(path, "expected.json", &err);
    cJSON *input = input_path ? json_read(input_path, &err) : NULL;
    cJSON *want = input && want_path ? json_read(want_path, &err) : NULL;
    if (want && read_input(input, &truth, &found, &err) && visdrone_eval(&score, &truth, &found, &team, &err))
        compare(p, path, want, &score);
    else
        parity_fail(p, path, "%s", err.text);
    cJSON_Delete(input);
    cJSON_Delete(want);
    visdrone_score_free(&score);
    detections_free(&found);
    dataset_free(&truth);
    free(input_path);
    free(want_path);
}
