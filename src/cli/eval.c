/* cli/eval.c -- scores detections against ground truth. */
#include "base/path.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include "cli/session.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/team.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "data/validate.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const struct option eval_options[] = {
    { "json",     "FILE",          NULL,       "write the score there instead of a table to stdout" },
    { "max-dets", "A,B,C",         "1,10,100", "detections counted per image and class, for the COCO protocol" },
    { "protocol", "coco|visdrone", "coco",     "whose rules" },
    { "images",   "LIST",          NULL,       "only the images of GT in this text file, one name per line" },
    {0} };

static bool score_coco(struct score_report *report, const struct dataset *truth, const struct detections *found,
                       const int max_dets[3], const struct team *team, struct error *err)
{
    struct coco_score score;
    const bool ok = coco_eval(&score, truth, found, max_dets, team, err) && report_coco(report, &score, err);
    coco_score_free(&score);
    return ok;
}

static bool score_visdrone(struct score_report *report, const struct dataset *truth, const struct detections *found,
                           const int max_dets[3], const struct team *team, struct error *err)
{
    struct visdrone_score score;
    (void)max_dets;                             /* the limits of this protocol are fixed */
    const bool ok = visdrone_eval(&score, truth, found, team, err) && report_visdrone(report, &score, err);
    visdrone_score_free(&score);
    return ok;
}

static const struct protocol {
    const char *name;
    bool fixed_limits;
    bool (*score)(struct score_report *, const struct dataset *, const struct detections *, const int max_dets[3],
                  const struct team *, struct error *);
} protocols[] = {
    { "coco",     false, score_coco },
    { "visdrone", true,  score_visdrone },
    {0} };

struct rules { const struct protocol *protocol; int max_dets[3]; };

static bool parse_limits(const char *text, int max_dets[3])
{
    for (int i = 0; i < 3; i++) {
        char *end;
        const long v = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : 0;
        if (v < 1 || v > INT_MAX || *end != (i < 2 ? ',' : 0))
            return false;
        max_dets[i] = (int)v;
        text = end + 1;
    }
    return true;
}

static bool parse_rules(struct rules *rules, const struct args *args, struct error *err)
{
    const char *name = args_text(args, "protocol"), *limits = args_text(args, "max-dets");
    rules->protocol = find_row(name, protocols, sizeof *protocols);
    if (!rules->protocol)
        return misuse(err, "eval: --protocol %s: no such protocol; did you mean %s?", name,
                      nearest_name(name, protocols, sizeof *protocols));
    if (rules->protocol->fixed_limits && args_flag(args, "max-dets"))
        return misuse(err, "eval: --max-dets is not for --protocol %s", name);
    return parse_limits(limits, rules->max_dets)
        || misuse(err, "eval: --max-dets must be three whole numbers from 1, as in 1,10,100, not %s", limits);
}

/* Ignored regions need the sizes of the images, which lie in the folder `images` beside that of the annotations.  A
 * missing or broken image leaves its size unknown. */
static bool measure_images(struct dataset *truth, const char *folder, struct error *err)
{
    char *images = path_join(folder, "../images", err);
    bool ok = images && (truth->image_count || fail(err, "%s: there is no annotation file in it", folder));
    for (int i = 0; ok && i < truth->image_count; i++) {
        struct image_record *image = &truth->images[i];
        char *path = path_join(images, image->file, err);
        struct error why = {0};
        if (!path || !image_size(path, &image->width, &image->height, &why)) {
            image->width = image->height = 0;
            ok = path && (why.content || fail(err, "%s", why.text));
        }
        free(path);
    }
    free(images);
    return ok;
}

/* data.val of a configuration with the classes of class_names, as `test` scores against. */
static bool read_config(struct dataset *truth, const struct args *args, struct error *err)
{
    struct config config = { .network_only = true };
    int *category = NULL;
    bool ok = config_read(&config, args->rest[0], args->overrides, args->override_count, err)
           && outputs_spare_data(args, &config, err)
           && data_path_there(&config, "data.val", data_path_keys[1], err);
    if (ok) {
        const struct strings *names = &config.class_names;
        const struct dataset_source source = dataset_source_of(&config.val);
        category = new_array((size_t)names->count, sizeof *category, err);
        ok = category && dataset_read(truth, &source, err) && dataset_scaled(truth, err)
          && dataset_classes(truth, names->at, names->count, category, err);
    }
    free(category);
    config_free(&config);
    return ok;
}

static bool is_config(const char *path) { return ends_with(path, ".yml") || ends_with(path, ".yaml"); }

static bool read_truth(struct dataset *truth, const struct args *args, struct error *err)
{
    const char *path = args->rest[0];
    if (is_config(path))
        return args_flag(args, "images") ? misuse(err, "eval: --images is for GT; a CONFIG has data.val.image_list")
                                         : read_config(truth, args, err);
    if (args->override_count)
        return misuse(err, "eval: %.200s sets a key of a configuration, but %.200s is not one",
                      args->overrides[0], path);
    const enum path_kind kind = path_kind(path, err);
    const bool folder = kind == PATH_FOLDER;
    const struct dataset_source source = { .format = folder ? DATASET_VISDRONE : DATASET_COCO, .ann_path = path,
                                           .image_list = args_text(args, "images") };
    return kind && dataset_read(truth, &source, err) && (!folder || measure_images(truth, path, err));
}

/* The detector may never have read an image without detections; its objects count as missed even so. */
static bool say_undetected(const struct dataset *truth, const struct detections *found, const char *path,
                           struct error *err)
{
    bool *detected = new_array((size_t)truth->image_count, sizeof *detected, err);
    int count = 0;
    for (int i = 0; detected && i < found->count; i++) {
        count += !detected[found->list[i].image];
        detected[found->list[i].image] = true;
    }
    if (detected && count < truth->image_count)
        print_line(stderr, "%s: no detection in %d of the %d images of the ground truth; their objects count as missed",
                   path, truth->image_count - count, truth->image_count);
    const bool ok = detected != NULL;
    free(detected);
    return ok;
}

/* Notes come first, since they may explain the error. */
static bool validate(struct dataset *truth, const struct args *args, struct error *err)
{
    const struct validation validation = { .use = USE_SCORING, .path = args->rest[0] };
    const bool valid = dataset_validate(truth, &validation, err);
    return show_notes(truth, is_config(args->rest[0]) ? "data.val" : "", err) && valid;
}

bool eval_run(const struct args *args, struct error *err)
{
    const struct team team = { args->threads };
    const char *dets = args->rest[1];
    struct dataset truth = {0};
    struct detections found = {0};
    struct score_report report = {0};
    struct rules rules;
    const bool ok = parse_rules(&rules, args, err)
                 && read_truth(&truth, args, err)
                 && validate(&truth, args, err)
                 && detections_read(&found, dets, &truth, err)
                 && say_undetected(&truth, &found, dets, err)
                 && rules.protocol->score(&report, &truth, &found, rules.max_dets, &team, err)
                 && write_score(&report, args_text(args, "json"), err);
    report_free(&report);
    detections_free(&found);
    dataset_free(&truth);
    return ok;
}
