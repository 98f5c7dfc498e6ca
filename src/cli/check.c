/* cli/check.c -- all problems of a configuration at once, a line each.  A problem would end a training or a test; a
 * note is about something that they would accept or skip. */
#include "base/escape.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "cli/check_report.h"
#include "cli/commands.h"
#include "cli/policy.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "data/loader.h"
#include "data/repeat.h"
#include "data/sample.h"
#include "data/validate.h"
#include "model/criterion.h"
#include "train/advice.h"
#include "train/run_length.h"
#include "train/teacher.h"
#include "weights/load.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option check_options[] = {
    { "report",  "DIR", NULL, "write DIR/report.html: classes, sizes, examples, batches, doubtful boxes and images" },
    { "weights", "FILE", NULL, "with --report: also the labels that this model disputes (suspects.json)" },
    { "keys", NULL, NULL, "list every key with its values" },
    {0} };

struct checked_set {
    const char *section;
    enum set_use use;
    const struct data_config *config;
    struct dataset data;
    int *label;
    bool read, matched;                 /* all records are sound; its categories are classes */
};

struct checker {
    const struct args *args;
    struct policy policy;
    struct config config;
    struct model model;
    bool open;                          /* the model can be built */
    struct checked_set sets[2];         /* data.train, data.val */
    int places;                         /* per epoch (data/repeat.h); 0: unknown */
    double seconds;                     /* of a step, per image; 0: not measured */
    struct string_list problems;
    struct string_list notes;
    struct strbuf summary;
    int worst;                          /* exit of the worst problem */
};

/* ---- the model ---- */

static bool print_keys(struct error *err)
{
    struct strbuf manual = {0};
    write_config_manual(&manual);
    for (int i = 0; i < MODEL_SECTIONS; i++) {
        const char *row = part_tables[i].rows;
        for (const struct model_part *part; (part = (const void *)row)->name; row += part_tables[i].row_size) {
            strbuf_addf(&manual, "\n%s with name: %s\n", model_sections[i], part->name);
            write_keys_manual(model_sections[i], part->keys, &manual);
        }
    }
    write_criterion_manual(&manual);
    const bool ok = strbuf_check(&manual, err);
    if (ok)
        printf("%s", manual.s);
    strbuf_free(&manual);
    return ok;
}

/* Adds a problem to the list; false: out of memory. */
static bool add_problem(struct checker *k, const struct error *problem, struct error *err)
{
    if (problem->exit > k->worst)
        k->worst = problem->exit;
    return string_list_add(&k->problems, problem->text, err);
}

/* Checks the keys of each part whose name is known; model_open would stop at the first problem. */
static bool check_parts(struct checker *k, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < MODEL_SECTIONS; i++) {
        const char *name = k->config.model.name[i];
        const struct model_part *part = name ? find_row(name, part_tables[i].rows, part_tables[i].row_size) : NULL;
        if (!part)
            continue;
        void *unused = new_array(1, part->config_size, err);
        ok = unused && section_read(&k->config, model_sections[i], part->keys, unused, err);
        free(unused);
    }
    return ok;
}

/* Builds a network for an input of that size, rounded up to a multiple of 32 as batches are. */
static bool check_size(struct checker *k, struct model *model, struct image_size size, struct error *err)
{
    const int w = padded_side(size.width), h = padded_side(size.height);
    struct graph graph = {0};
    struct error problem = {0};
    const bool ok = model_graph(model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &graph, &problem)
                 || add_problem(k, &problem, err);
    graph_free(&graph);
    return ok;
}

static bool check_train_sizes(struct checker *k, struct model *model, struct error *err)
{
    const struct data_config *train = &k->config.train;
    const double *scale = k->config.schedule.input_scale;
    const struct image_size full = { train->input_size[0], train->input_size[1] };
    bool ok = check_size(k, model, full, err);
    for (int epoch = 0; ok && epoch < 2; epoch++)               /* the first and the last one */
        for (int i = 0; ok && i < 2; i++)
            ok = check_size(k, model, scaled_size(epoch_size(full, scale, epoch, 2), train->multi_scale[i]), err);
    return ok;
}

static bool check_teacher(struct checker *k, struct error *err)
{
    struct teacher teacher = {0};
    struct error problem = {0};
    if (!config_has_teacher(&k->config.model))
        return true;
    const bool ok = teacher_open(&teacher, &k->model, &k->notes, &problem)
                  ? check_train_sizes(k, teacher_model(&teacher), err) : add_problem(k, &problem, err);
    teacher_free(&teacher);
    return ok;
}

static bool check_model(struct checker *k, struct error *err)
{
    const int *val = k->config.val.input_size;
    struct error problem = {0};
    k->open = model_open(&k->model, &k->config, &problem);
    if (!k->open && problem.exit == 1)                  /* out of memory: errors of the configuration are exit 2 */
        return fail(err, "%s", problem.text);
    return !k->open ? add_problem(k, &problem, err)
         : check_train_sizes(k, &k->model, err) && check_size(k, &k->model, (struct image_size){ val[0], val[1] }, err)
        && check_teacher(k, err);
}

/* Loads the weights that a training starts from.  Without a model it only checks that their file exists. */
static bool check_weights(struct checker *k, struct error *err)
{
    const char *file = k->config.schedule.load_model;
    struct error problem = {0};
    if (k->open)
        return model_initialise(&k->model, NULL, &k->notes, &problem) || add_problem(k, &problem, err);
    return !*file || config_require_file(&k->config, "schedule.load_model", file, &problem)
        || add_problem(k, &problem, err);
}

/* ---- the data ---- */

/* The problems of a set, or the reason why it cannot be read. */
static bool add_set_problems(struct checker *k, const struct checked_set *set, const struct error *why,
                             struct error *err)
{
    const struct dataset_problems *problems = &set->data.problems;
    struct error problem = *why;
    bool ok = true;
    for (int i = 0; ok && i < problems->first.count; i++) {
        fail(&problem, "%s: %s", set->section, problems->first.list[i]);
        ok = add_problem(k, &problem, err);
    }
    if (problems->count > problems->first.count) {
        fail(&problem, "%s: and %d problems more", set->section, problems->count - problems->first.count);
        ok = ok && add_problem(k, &problem, err);
    }
    return ok && (problems->count || !why->exit || add_problem(k, why, err));
}

static bool has_paths(struct checker *k, const struct checked_set *set, bool *all, struct error *err)
{
    *all = true;
    for (int i = 0; i < 2; i++) {
        struct error problem = {0};
        if (data_path_there(&k->config, set->section, data_path_keys[i], &problem))
            continue;
        *all = false;
        if (!add_problem(k, &problem, err))
            return false;
    }
    return true;
}

/* Decodes every image, since only that shows damage. */
static bool check_set(struct checker *k, struct checked_set *set, struct error *err)
{
    const struct dataset_source source = dataset_source_of(set->config);
    const struct strings *classes = &k->config.class_names;
    struct dataset *data = &set->data;
    struct error problem = {0}, mismatch = {0}, named = {0};
    bool there;
    if (!has_paths(k, set, &there, err) || !there)
        return !there;
    set->read = dataset_read(data, &source, &problem);
    if (!set->read && data->problems.count == 0)
        return add_problem(k, &problem, err);
    set->label = new_array((size_t)data->category_count, sizeof *set->label, err);
    if (!set->label)
        return false;
    set->matched = set->read && dataset_labels(data, classes->at, classes->count, set->label, &mismatch);
    if (mismatch.exit == 1)                             /* out of memory: a mismatch is exit 2 */
        return fail(err, "%s: %s", set->section, mismatch.text);
    if (mismatch.exit && !misuse(&named, "%s: %s", set->section, mismatch.text) && !add_problem(k, &named, err))
        return false;
    const struct validation validation = { .use = set->use, .path = set->config->ann_path,
                                           .label = set->matched ? set->label : NULL, .config = set->config,
                                           .decode = true, .threads = k->args->threads };
    if (data_images_there(&k->config, set->section, data, &problem))
        dataset_validate(data, &validation, &problem);
    return add_set_problems(k, set, &problem, err);
}

static bool check_sets(struct checker *k, struct error *err)
{
    struct checked_set *train = &k->sets[0], *val = &k->sets[1];
    if (!check_set(k, train, err) || !check_set(k, val, err)
        || !dataset_note_shared(&train->data, train->config->img_path, &val->data, val->config->img_path, err))
        return false;
    for (int i = 0; i < 2; i++) {
        const struct checked_set *set = &k->sets[i];
        if (set->matched)
            dataset_summary(&set->data, set->section, set->config, set->label, &k->config.class_names, &k->summary);
        if (!dataset_notes(&set->data, set->section, &k->notes, err))
            return false;
    }
    return true;
}

/* ---- the run ---- */

static bool measure_step(struct checker *k, struct error *err)
{
    return k->seconds > 0 || training_seconds(&k->model, &k->policy, &k->seconds, err);
}

/* Steps, memory, and time without loading and evaluation. */
static bool summarise_run(struct checker *k, struct error *err)
{
    const struct config *c = &k->config;
    const int steps = loader_steps(k->places, c->batch_size, true);
    uint64_t bytes;
    if (!training_memory(&k->model, &k->policy, c->batch_size, &bytes, err)
        || !measure_step(k, err))
        return false;
    const struct run_costs costs = expected_costs(c, k->places, 0, k->seconds);
    const double minutes = estimate_run_seconds(c, &costs, c->schedule.total_epochs) / 60;
    if (c->train.repeat_factor > 0)
        strbuf_addf(&k->summary, "data.train.repeat_factor: %d samples per epoch from %d images\n", k->places,
                    k->sets[0].data.image_count);
    strbuf_addf(&k->summary, "training: total_epochs %d, steps per epoch %d, batch %d; memory %.0f MB of %.0f MB; "
               "time %s%.0f min (%.0f ms per image, without loading and evaluation)\n", c->schedule.total_epochs, steps,
                c->batch_size, (double)bytes / 1e6, (double)machine_memory() / 1e6, minutes < 1 ? "below " : "about ",
                ceil(minutes), 1e3 * k->seconds);
    return true;
}

/* For schedule.hours: about the number of epochs that a training would choose, for the advice and the summary. */
static bool estimate_epochs(struct checker *k, struct error *err)
{
    const struct config *c = &k->config;
    const double hours = c->schedule.hours;
    const int steps = loader_steps(k->places, c->batch_size, true);
    if (hours == 0 || k->problems.count || !k->open)
        return true;
    if (!measure_step(k, err))
        return false;
    const double val_area = evaluation_area(c, &k->sets[1].data);
    const struct run_costs costs = expected_costs(c, k->places, val_area, k->seconds);
    const int epochs = find_epochs_within(c, &costs, 3600 * hours);
    strbuf_addf(&k->summary, "schedule.hours %g: about %d epochs; train measures how many\n", hours, epochs);
    return set_epochs(&k->config, epochs, steps_per_epoch(&c->schedule, steps), err);
}

/* Adds notes on valid values that harm a training.  Memory and time are known only if the model can be built. */
static bool check_advice(struct checker *k, struct error *err)
{
    const struct checked_set *train = &k->sets[0];
    if (train->read)
        k->places = count_epoch_places(&train->data, train->matched ? train->label : NULL,
                                       k->config.train.repeat_factor, NULL, err);
    return k->places >= 0 && estimate_epochs(k, err)
        && (k->config.schedule.hours > 0 || config_advice(&k->config, k->places, &k->notes, err))   /* else unknown */
        && (!k->open || memory_advice(&k->model, &k->policy, machine_memory(), &k->notes, err))
        && (k->problems.count || !k->open || summarise_run(k, err));
}

/* Cuts a path to the longest prefix that exists; "" if none does. */
static void cut_to_present(char *path, struct error *err)
{
    size_t n = strlen(path);
    while (n > 0 && path_kind(path, err) == PATH_ABSENT) {
        while (n > 0 && path[n - 1] != '/')
            n--;
        while (n > 0 && path[n - 1] == '/')
            n--;
        path[n] = 0;
    }
}

/* Checks that the nearest existing folder accepts new files; makes none. */
static bool check_save_dir(struct checker *k, struct error *err)
{
    const char *dir = k->config.save_dir;
    struct error problem = {0}, why = {0};
    char *path = new_text(dir, err);
    if (!path)
        return false;
    cut_to_present(path, &why);
    const char *base = *path ? path : *dir == '/' ? "/" : ".";
    if (!why.exit && path_kind(base, &why) == PATH_FILE)
        fail(&why, "%s is not a folder", base);
    if (!why.exit && access(base, W_OK | X_OK) != 0)
        fail(&why, "%s: %s", base, errno_text(errno));
    const bool ok = !why.exit || fail(&problem, "%s: %s: cannot be made: %s", config_place(&k->config, "save_dir").s,
                                      dir, why.text)
                 || add_problem(k, &problem, err);
    free(path);
    return ok;
}

/* ---- the page ---- */

/* Loads --weights, which must suit the model and its classes. */
static bool load_weights(struct checker *k, const char *weights, struct error *err)
{
    struct string_list unused = {0};
    const bool ok = k->open ? model_load(&k->model, weights, LOAD_TO_RUN, k->model.params.value, &unused, err)
                            : misuse(err, "check: --weights: the model of %s cannot be built", k->config.file);
    string_list_free(&unused);
    return ok;
}

/* Writes the page about what could be read, also if there are problems. */
static bool write_report(struct checker *k, struct error *err)
{
    const char *folder = args_text(k->args, "report"), *weights = args_text(k->args, "weights");
    struct data_report r = { .config = &k->config, .model = k->open ? &k->model : NULL, .policy = &k->policy,
                             .weights = weights, .folder = folder, .problems = &k->problems, .notes = &k->notes };
    for (int i = 0; i < 2; i++) {
        const struct checked_set *set = &k->sets[i];
        r.sets[i] = (struct report_set){ set->section, set->config, &set->data, set->matched ? set->label : NULL };
    }
    return !folder || ((!weights || load_weights(k, weights, err)) && data_report_write(&r, err));
}

/* ---- the report ---- */

/* Prints problems and notes, even if an error has ended the checks (then ok is false and err is set). */
static bool report(const struct checker *k, bool ok, struct error *err)
{
    const int count = k->problems.count;
    if (k->summary.s)
        printf("%s", k->summary.s);
    for (int i = 0; i < count; i++)
        print_line(stdout, "%s", k->problems.list[i]);
    for (int i = 0; i < k->notes.count; i++)
        print_line(stdout, "%s", k->notes.list[i]);
    if (ok && count == 0)
        print_line(stdout, "%s: no problem found", k->args->config);
    if (!ok || count == 0)
        return ok;
    fail(err, "%s: %d problem%s", k->args->config, count, count == 1 ? "" : "s");
    err->exit = k->worst;
    return false;
}

bool check_run(const struct args *args, struct error *err)
{
    struct checker k = { .args = args };
    k.sets[0] = (struct checked_set){ .section = "data.train", .use = USE_TRAINING, .config = &k.config.train };
    k.sets[1] = (struct checked_set){ .section = "data.val", .use = USE_SCORING, .config = &k.config.val };
    if (args_flag(args, "keys"))
        return print_keys(err);
    if (!args->config)
        return misuse(err, "usage: nanodet check CONFIG [KEY=VALUE ...]");
    if (args_text(args, "weights") && !args_text(args, "report"))
        return misuse(err, "check: --weights needs --report DIR");
    if (!args_policy(args, &k.policy, err))
        return false;
    k.config.problems = &k.problems;
    bool ok = args_config(args, &k.config, err);
    if (ok)
        image_memory(k.config.decode_mb);
    ok = ok && check_parts(&k, err);
    args_tell_ignored(&k.config);
    k.config.problems = NULL;
    if (k.problems.count)
        k.worst = 2;
    ok = ok && (k.problems.count || check_model(&k, err))
      && check_weights(&k, err) && check_save_dir(&k, err) && check_sets(&k, err)
      && (k.worst == 2 || check_advice(&k, err)) && strbuf_check(&k.summary, err) && write_report(&k, err);
    ok = report(&k, ok, err);
    for (int i = 0; i < 2; i++) {
        dataset_free(&k.sets[i].data);
        free(k.sets[i].label);
    }
    model_free(&k.model);
    config_free(&k.config);
    string_list_free(&k.problems);
    strbuf_free(&k.summary);
    string_list_free(&k.notes);
    return ok;
}
