/* cli/check.c -- every problem of a configuration at once, a line each: what would end a training or a test as a
 * problem, what it would only pass over as a note. */
#include "base/machine.h"
#include "base/memory.h"
#include "base/table.h"
#include "cli/commands.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/picture.h"
#include "model/model.h"
#include "train/advice.h"
#include <stdlib.h>
#include <string.h>

const struct option check_options[] = {
    { "keys", NULL, NULL, "list every key with what it takes" },
    {0} };

struct checker {
    const struct args *args;
    struct config config;
    struct names problems;
    struct text notes;
    int train_images;                   /* 0: not known */
    int worst;                          /* exit of the worst problem */
};

/* ---- the model ---- */

static const struct { const char *section; const void *rows; size_t row_size; } parts[] = {
    { "model.arch.backbone", backbones, sizeof *backbones },
    { "model.arch.fpn",      necks,     sizeof *necks },
    { "model.arch.head",     heads,     sizeof *heads },
    { "model.arch.aux_head", heads,     sizeof *heads } };
enum { PARTS = sizeof parts / sizeof *parts };

static bool print_keys(struct error *err)
{
    struct text manual = {0};
    config_manual(&manual);
    for (int i = 0; i < PARTS; i++) {
        const char *row = parts[i].rows;
        for (const struct part *part; (part = (const void *)row)->name; row += parts[i].row_size) {
            text_add(&manual, "\n%s with name: %s\n", parts[i].section, part->name);
            keys_manual(parts[i].section, part->keys, &manual);
        }
    }
    const bool ok = text_ok(&manual, err);
    if (ok)
        printf("%s", manual.s);
    text_free(&manual);
    return ok;
}

/* A problem that was found; false: there is no memory to say so. */
static bool found(struct checker *k, const struct error *problem, struct error *err)
{
    if (problem->exit > k->worst)
        k->worst = problem->exit;
    return names_add(&k->problems, problem->text, err);
}

/* The keys of each part, as far as its name is known: model_open would stop at the first problem. */
static bool check_parts(struct checker *k, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < PARTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s.name", parts[i].section);
        const char *name = config_text(&k->config, path);
        const struct part *part = name ? find_row(name, parts[i].rows, parts[i].row_size) : NULL;
        if (!part)
            continue;
        void *unused = new_array(1, part->config_size, err);
        ok = unused && section_read(&k->config, parts[i].section, part->keys, unused, err);
        free(unused);
    }
    return ok;
}

/* Builds the network for an input of that size, as a batch makes it: rounded up to a multiple of 32. */
static bool check_size(struct checker *k, struct model *model, const int size[2], double factor, struct error *err)
{
    const int w = ((int)(size[0] * factor) + 31) / 32 * 32, h = ((int)(size[1] * factor) + 31) / 32 * 32;
    struct graph graph = {0};
    struct error problem = {0};
    const bool ok = model_graph(model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &graph, &problem)
                 || found(k, &problem, err);
    graph_free(&graph);
    return ok;
}

static bool check_model(struct checker *k, struct error *err)
{
    const struct config *config = &k->config;
    struct model model = {0};
    struct error problem = {0};
    const bool open = model_open(&model, &k->config, &problem);
    const bool ok = !open ? found(k, &problem, err)
                  : check_size(k, &model, config->train.input_size, 1, err)
                 && check_size(k, &model, config->train.input_size, config->train.multi_scale[0], err)
                 && check_size(k, &model, config->train.input_size, config->train.multi_scale[1], err)
                 && check_size(k, &model, config->val.input_size, 1, err);
    model_free(&model);
    return ok;
}

/* ---- the data ---- */

struct decoding {
    const struct dataset *data;
    const char *folder;
    struct decoded { int width, height; bool truncated; char *problem; } *images;
};

static void decode_image(const void *job, int i)
{
    const struct decoding *k = job;
    struct picture picture = {0};
    struct error problem = {0};
    char *path = path_join(k->folder, k->data->images[i].file, &problem);
    if (!path || !picture_read(&picture, path, &problem))
        k->images[i].problem = new_text(problem.text, NULL);
    else
        k->images[i] = (struct decoded){ picture.width, picture.height, picture.truncated, NULL };
    picture_free(&picture);
    free(path);
}

/* Decodes every picture: damage shows nowhere else. */
static bool check_images(struct checker *k, const char *section, struct dataset *data, const char *folder,
                         struct error *err)
{
    struct decoding job = { data, folder, new_array((size_t)data->image_count, sizeof *job.images, err) };
    bool ok = job.images != NULL;
    if (!ok)
        return false;
    team_for(&(struct team){ k->args->threads }, data->image_count, decode_image, &job);
    for (int i = 0; i < data->image_count; i++) {
        const struct decoded *image = &job.images[i];
        struct error problem = {0};
        if (image->problem && !fail(&problem, "%s: %s", section, image->problem))
            ok = ok && found(k, &problem, err);
        else
            dataset_measure(data, i, image->width, image->height, !image->truncated);
        free(image->problem);
    }
    free(job.images);
    return ok;
}

/* Why a set cannot be read: its problems, or what else it was. */
static bool found_in_set(struct checker *k, const char *section, const struct dataset *data, const struct error *why,
                         struct error *err)
{
    const struct dataset_problems *problems = &data->problems;
    struct error problem = *why;
    bool ok = true;
    for (int i = 0; ok && i < problems->first.count; i++) {
        fail(&problem, "%s: %s", section, problems->first.list[i]);
        ok = found(k, &problem, err);
    }
    if (problems->count > problems->first.count) {
        fail(&problem, "%s: and %d broken records more", section, problems->count - problems->first.count);
        ok = ok && found(k, &problem, err);
    }
    return problems->count ? ok : found(k, &problem, err);
}

static bool check_set(struct checker *k, const char *section, const struct data_config *config, struct error *err)
{
    const struct dataset_source source = dataset_source_of(config);
    const struct texts *classes = &k->config.class_names;
    struct dataset data = {0};
    struct error problem = {0};
    for (int i = 0; i < 2; i++)
        if (!data_path_there(&k->config, section, data_path_keys[i], &problem) && !found(k, &problem, err))
            return false;
    if (problem.exit)
        return true;
    const bool read = dataset_read(&data, &source, &problem);
    int *label = new_array((size_t)data.category_count, sizeof *label, err);
    bool ok = label
           && (read ? dataset_labels(&data, classes->at, classes->count, label, &problem) || found(k, &problem, err)
                    : found_in_set(k, section, &data, &problem, err))
           && (data_images_there(&k->config, section, &data, &problem)
               ? check_images(k, section, &data, source.img_path, err) : found(k, &problem, err));
    if (read && config == &k->config.train)
        k->train_images = data.image_count;
    struct text notes = {0};
    dataset_notes_text(&data, &notes);
    for (char *rest, *line = notes.s ? strtok_r(notes.s, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
        text_add(&k->notes, "%s: %s\n", section, line);
    ok = ok && text_ok(&notes, err);
    text_free(&notes);
    free(label);
    dataset_free(&data);
    return ok;
}

/* What is allowed and yet spoils a training, as notes; what the model itself takes is known only if it can be built. */
static bool check_advice(struct checker *k, struct error *err)
{
    struct names warnings = {0};
    struct model model = {0};
    struct error problem = {0};
    const bool open = model_open(&model, &k->config, &problem);
    const bool ok = config_advice(&k->config, k->train_images, &warnings, err)
                 && (!open || memory_advice(&model, machine_memory(), &warnings, err));
    for (int i = 0; i < warnings.count; i++)
        text_add(&k->notes, "WARNING: %s\n", warnings.list[i]);
    names_free(&warnings);
    model_free(&model);
    return ok;
}

static bool check_weights(struct checker *k, const char *path, struct error *err)
{
    static const struct { const char *name; } no_files[] = {
        { "" }, { "true" }, { "True" }, { "false" }, { "False" }, {0} };
    const char *file = config_text(&k->config, path);
    struct error problem = {0};
    if (!file || find_row(file, no_files, sizeof *no_files) || file_exists(file))
        return true;
    fail(&problem, "%s: no such file: %s", config_place(&k->config, path).s, file);
    return found(k, &problem, err);
}

/* ---- the report ---- */

/* What was found, also where an error then ended the search (ok false, err says which). */
static bool report(const struct checker *k, bool ok, struct error *err)
{
    const int count = k->problems.count;
    for (int i = 0; i < count; i++)
        printf("%s\n", k->problems.list[i]);
    if (k->notes.s)
        printf("%s", k->notes.s);
    if (ok && count == 0)
        printf("%s: no problem found\n", k->args->config);
    if (!ok || count == 0)
        return ok;
    fail(err, "%s: %d problem%s", k->args->config, count, count == 1 ? "" : "s");
    err->exit = k->worst;
    return false;
}

bool check_run(const struct args *args, struct error *err)
{
    struct checker k = { .args = args };
    if (args_flag(args, "keys"))
        return print_keys(err);
    if (!args->config)
        return misuse(err, "usage: nanodet check CONFIG [KEY=VALUE ...]");
    k.config.problems = &k.problems;
    bool ok = args_config(args, &k.config, err) && check_parts(&k, err);
    args_tell_ignored(&k.config);
    k.config.problems = NULL;
    if (k.problems.count)
        k.worst = 2;
    ok = ok && (k.problems.count || check_model(&k, err))
      && check_weights(&k, "schedule.load_model", err) && check_weights(&k, "model.arch.backbone.pretrain", err)
      && check_weights(&k, "model.arch.backbone.pretrained", err)
      && check_set(&k, "data.train", &k.config.train, err) && check_set(&k, "data.val", &k.config.val, err)
      && (k.worst == 2 || check_advice(&k, err))
      && text_ok(&k.notes, err);
    ok = report(&k, ok, err);
    config_free(&k.config);
    names_free(&k.problems);
    text_free(&k.notes);
    return ok;
}
