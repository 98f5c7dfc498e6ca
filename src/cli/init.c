/* cli/init.c -- a configuration for the data set in a folder. */
#include "base/escape.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/policy.h"
#include "cli/shell.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "data/split.h"
#include "train/advice.h"
#include "train/plan.h"
#include "train/run_length.h"
#include "weights/load.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct option init_options[] = {
    { "out",     "CONFIG", NULL, "the configuration to write (default: the name of DIR with .yml)" },
    { "weights", "FILE",   NULL, "start from these weights, in any format, with their model" },
    {0} };

static const double val_fraction = 0.2;

/* A set, and which of its images are in the part that it is read for. */
struct setup_set { struct dataset data; int *label; bool *usable, *member; };

struct setup {
    const struct args *args;
    struct policy policy;
    char *folder, *out, *save_dir, *lists[2];   /* lists of training and validation */
    struct discovery found;
    struct setup_set train, val;         /* val is empty if train is divided */
    bool divided;
    struct found_model model;
    struct set_facts facts;
    struct plan plan;
    struct strbuf yaml;
    double seconds;                     /* of the run */
};

/* ---- names ---- */

static bool is_new(const char *path, struct error *err)
{
    const enum path_kind kind = path_kind(path, err);
    return kind == PATH_ABSENT || (kind != PATH_ERROR && misuse(err, "%s exists, and init overwrites nothing: give "
                                                                "another name with --out CONFIG", path));
}

/* The folder without slashes at its end. */
static char *clean_folder(const char *path, struct error *err)
{
    char *folder = new_text(path, err);
    size_t length = folder ? strlen(folder) : 0;
    while (length > 1 && folder[length - 1] == '/')
        folder[--length] = 0;
    return folder;
}

/* NAME.yml for the folder NAME, in the folder where the program was started. */
static char *default_out(const char *folder, struct error *err)
{
    char whole[PATH_MAX];
    struct strbuf out = {0};
    const char *name = path_name(realpath(folder, whole) ? whole : folder);
    strbuf_addf(&out, "%s.yml", *name ? name : "my");
    return strbuf_take(&out, err);
}

static char *beside(const char *out, const char *suffix, struct error *err)
{
    struct strbuf path = {0};
    strbuf_addf(&path, "%.*s%s", path_stem_length(out), out, suffix);
    return strbuf_take(&path, err);
}

static bool name_outputs(struct setup *k, struct error *err)
{
    const char *out = args_text(k->args, "out");
    k->folder = clean_folder(k->args->rest[0], err);
    k->out = !k->folder ? NULL : out ? new_text(out, err) : default_out(k->folder, err);
    if (!k->out)
        return false;
    if (!ends_with(k->out, ".yml") && !ends_with(k->out, ".yaml"))
        return misuse(err, "init: --out %.200s: the name of a configuration ends in .yml or .yaml", k->out);
    struct strbuf save_dir = {0};
    const char *name = path_name(k->out);
    strbuf_addf(&save_dir, "workspace/%.*s", path_stem_length(name), name);
    k->save_dir = save_dir.s;
    k->lists[0] = beside(k->out, "_train.txt", err);
    k->lists[1] = beside(k->out, "_val.txt", err);
    return strbuf_check(&save_dir, err) && k->lists[0] && k->lists[1] && is_new(k->out, err);
}

/* ---- the data ---- */

/* Measures the images; usable: an image can be read. */
static bool probe_images(struct setup_set *s, const char *img_path, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < s->data.image_count; i++) {
        struct image_record *image = &s->data.images[i];
        struct image_probe probe = {0};
        struct error why = {0};
        char *path = path_join(img_path, image->file, err);
        ok = path != NULL;
        s->usable[i] = ok && image_probe(path, &probe, &why);
        ok = ok && (s->usable[i] || why.content || fail(err, "%s", why.text));
        image->width = probe.width;
        image->height = probe.height;
        free(path);
    }
    return ok;
}

static bool read_set(struct setup *k, struct setup_set *s, const struct found_part *part, struct error *err)
{
    const struct strings classes = { k->found.classes.count, (const char *const *)k->found.classes.list };
    const struct dataset_source source = {
        .format = k->found.format, .img_path = part->img_path, .ann_path = part->ann_path,
        .image_list = part->image_list, .class_names = classes.at, .class_count = classes.count };
    if (!dataset_read(&s->data, &source, err))
        return false;
    const size_t n = (size_t)s->data.image_count;
    s->label = new_array((size_t)s->data.category_count, sizeof *s->label, err);
    s->usable = new_array(n, sizeof *s->usable, err);
    s->member = new_array(n, sizeof *s->member, err);
    return s->label && s->usable && s->member
        && dataset_labels(&s->data, classes.at, classes.count, s->label, err)
        && probe_images(s, part->img_path, err);
}

static void free_set(struct setup_set *s)
{
    dataset_free(&s->data);
    free(s->label);
    free(s->usable);
    free(s->member);
}

/* A list of the images with member[i] == side.  The names are lines. */
static bool write_list(const char *path, const struct dataset *set, const bool *member, bool side, struct error *err)
{
    struct strbuf text = {0};
    bool ok = true;
    for (int i = 0; ok && i < set->image_count; i++) {
        const char *file = set->images[i].file;
        const size_t last = strlen(file);
        if (member[i] != side)
            continue;
        ok = (last && !strpbrk(file, "\r\n") && !strchr(" \t", *file) && !strchr(" \t", file[last - 1]))
          || fail(err, "%s: a name with line ends, or with blanks at its ends, cannot be listed: rename it", file);
        strbuf_addf(&text, "%s\n", file);
    }
    ok = ok && strbuf_check(&text, err) && file_write(path, text.s, text.size, err);
    strbuf_free(&text);
    return ok;
}

static bool use_list(struct setup *k, struct found_part *part, int list, struct error *err)
{
    free(part->image_list);
    part->image_list = new_text(k->lists[list], err);
    return part->image_list && is_new(k->lists[list], err);
}

/* Without a part for validation: draws one.  With one image of boxes, both parts are all images. */
static bool divide(struct setup *k, struct error *err)
{
    struct setup_set *s = &k->train;
    struct found_part *val = &k->found.val, *train = &k->found.train;
    if (!dataset_split(&s->data, s->label, k->found.classes.count, k->found.format == DATASET_VISDRONE, s->usable,
                       val_fraction, 0, s->member, &k->divided, err))
        return false;
    *val = (struct found_part){ new_text(train->img_path, err), new_text(train->ann_path, err), NULL };
    if (!val->img_path || !val->ann_path)
        return false;
    if (!k->divided) {
        print_line(stderr, "WARNING: the set is too small to be divided: training and validation use the same images");
        return true;
    }
    return use_list(k, train, 0, err) && use_list(k, val, 1, err);
}

/* A validation image that cannot be read would end the training: it is left out by a list. */
static bool select_val(struct setup *k, struct error *err)
{
    struct setup_set *s = &k->val;
    int unusable = 0;
    for (int i = 0; i < s->data.image_count; i++) {
        s->member[i] = s->usable[i];
        unusable += !s->usable[i];
    }
    if (unusable == 0)
        return true;
    print_line(stderr, "WARNING: %d images for validation cannot be read and are left out", unusable);
    return use_list(k, &k->found.val, 1, err);
}

/* member of train: in validation; of val: used. */
static bool read_data(struct setup *k, struct error *err)
{
    bool ok = discover(&k->found, k->folder, err);
    for (int i = 0; ok && i < k->found.notes.count; i++)
        print_line(stderr, "%s", k->found.notes.list[i]);
    ok = ok && read_set(k, &k->train, &k->found.train, err);
    if (ok && k->found.val.ann_path)
        ok = read_set(k, &k->val, &k->found.val, err) && select_val(k, err);
    else
        ok = ok && divide(k, err);
    return ok;
}

static bool find_facts(struct setup *k, struct error *err)
{
    const struct setup_set *s = &k->train;
    const int n = s->data.image_count;
    const bool own_val = k->val.data.image_count;
    bool *trains = new_array((size_t)n, sizeof *trains, err);
    if (!trains)
        return false;
    for (int i = 0; i < n; i++)
        trains[i] = !s->member[i];
    const struct subset training = { &s->data, k->divided ? trains : NULL };
    const struct subset validation = own_val ? (struct subset){ &k->val.data, k->val.member }
                                             : (struct subset){ &s->data, k->divided ? s->member : NULL };
    const bool ok = facts_of(&k->facts, &training, s->label, &validation, err);
    free(trains);
    return ok;
}

/* ---- the configuration ---- */

static bool require_utf8(const struct setup *k, struct error *err)
{
    const char *const paths[] = { k->folder, k->out, k->found.train.img_path, k->found.train.ann_path,
                                  k->found.train.image_list, k->found.val.img_path, k->found.val.ann_path,
                                  k->found.val.image_list, args_text(k->args, "weights") };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] && !text_is_utf8(paths[i]))
            return fail(err, "%s: the path is not UTF-8, which a configuration needs: rename it", paths[i]);
    return true;
}

static bool write_yaml(struct setup *k, struct error *err)
{
    const struct plan_text text = { &k->found, &k->model, args_text(k->args, "weights"), k->folder, k->save_dir,
                                    k->divided };
    strbuf_free(&k->yaml);
    plan_write(&k->plan, &text, &k->yaml);
    return strbuf_check(&k->yaml, err);
}

/* The planned configuration has no tiles, so that the number of images determines the area. */
static double val_area(const struct setup *k, const struct config *c)
{
    struct dataset images = k->val.data.image_count ? k->val.data : k->train.data;
    images.image_count = k->facts.val_images;
    return evaluation_area(c, &images);
}

/* The least of a few measurements, since another program slows some of them down. */
static bool measure_step(struct model *model, const struct policy *policy, double *seconds, struct error *err)
{
    enum { TRIALS = 3 };
    bool ok = true;
    *seconds = INFINITY;
    for (int i = 0; ok && i < TRIALS; i++) {
        double once;
        ok = training_seconds(model, policy, &once, err);
        *seconds = ok ? fmin(*seconds, once) : 0;
    }
    return ok;
}

/* Builds the planned model with its weights.  *fits: it trains in the memory of the machine. */
static bool try_plan(struct setup *k, bool *fits, double *seconds, struct error *err)
{
    struct config config = {0};
    struct model model = {0};
    struct string_list notes = {0};
    uint64_t bytes;
    bool ok = write_yaml(k, err) && config_parse(&config, k->yaml.s, k->yaml.size, k->out, NULL, 0, err)
           && model_open(&model, &config, err) && model_initialise(&model, NULL, &notes, err)
           && training_memory(&model, &k->policy, k->plan.batch, &bytes, err);
    *fits = ok && (bytes <= machine_memory() || k->plan.batch == 1);
    ok = ok && (!*fits || measure_step(&model, &k->policy, seconds, err));
    if (ok && *fits) {
        plan_limit_time(&k->plan, *seconds);
        const struct run_costs costs = expected_costs(&config, k->facts.images, val_area(k, &config), *seconds);
        k->seconds = estimate_run_seconds(&config, &costs, k->plan.epochs);
    }
    string_list_free(&notes);
    model_free(&model);
    config_free(&config);
    return ok;
}

static bool make_plan(struct setup *k, struct error *err)
{
    const char *weights = args_text(k->args, "weights");
    bool fits = false;
    double seconds = 0;
    int batch = INT_MAX;
    if (weights ? !zoo_identify(&k->model, weights, err)
                : !(k->model = (struct found_model){ zoo->name, new_text(zoo->yaml, err), zoo->resize }).yaml)
        return false;
    while (!fits) {
        plan_choose(&k->plan, &k->facts, weights, machine_memory(), batch);
        if (!try_plan(k, &fits, &seconds, err))
            return false;
        batch = k->plan.batch / 2;
    }
    return write_yaml(k, err);                          /* with the epochs that the time allows */
}

static bool write_files(struct setup *k, struct error *err)
{
    const struct setup_set *s = &k->train;
    bool ok = true;
    if (k->divided)
        ok = write_list(k->lists[0], &s->data, s->member, false, err)
          && write_list(k->lists[1], &s->data, s->member, true, err);
    else if (k->val.data.image_count && k->found.val.image_list
             && strcmp(k->found.val.image_list, k->lists[1]) == 0)
        ok = write_list(k->lists[1], &k->val.data, k->val.member, true, err);
    return ok && file_write(k->out, k->yaml.s, k->yaml.size, err);
}

/* ---- what was done, and what comes next ---- */

static void show_time(const struct setup *k, struct strbuf *line)
{
    const double minutes = k->seconds / 60;
    if (minutes < 90)
        strbuf_addf(line, "   # about %.0f minute%s on this machine", ceil(minutes), minutes <= 1 ? "" : "s");
    else
        strbuf_addf(line, "   # about %.0f hours on this machine", ceil(minutes / 60));
}

static void show_next(const struct setup *k)
{
    static const char *const next[] = { "check", "train" };
    for (int i = 0; i < 2; i++) {
        struct strbuf line = {0};
        add_shell_word(&line, program_invocation_name);
        add_shell_word(&line, next[i]);
        add_shell_word(&line, k->out);
        if (i == 0)
            strbuf_addf(&line, "   # reports problems of the data");
        else
            show_time(k, &line);
        if (strbuf_check(&line, NULL))
            print_line(stderr, "%s%s", i ? "     " : "next:", line.s);
        strbuf_free(&line);
    }
}

static void show_plan(const struct setup *k)
{
    const struct plan *p = &k->plan;
    struct strbuf classes = {0};
    for (int i = 0; i < k->found.classes.count && classes.size < 400; i++)
        strbuf_addf(&classes, "%s%s", i ? ", " : "", k->found.classes.list[i]);
    print_line(stderr, "%s: %s, %d images for training, %d for validation; %d class%s: %s%s", k->folder,
               dataset_format_name(k->found.format), k->facts.images, k->facts.val_images, k->found.classes.count,
               k->found.classes.count == 1 ? "" : "es", classes.s ? classes.s : "", classes.size < 400 ? "" : ", ...");
    print_line(stderr, "%s: %s, input %d x %d, batch %d, %d epochs", k->out, k->model.name, p->input[0], p->input[1],
               p->batch, p->epochs);
    if (k->found.numbered_classes)
        print_line(stderr, "WARNING: no list of classes was found: give them names in %s", k->out);
    strbuf_free(&classes);
}

bool init_run(const struct args *args, struct error *err)
{
    struct setup k = { .args = args };
    const bool ok = args_policy(args, &k.policy, err) && name_outputs(&k, err) && read_data(&k, err)
                 && require_utf8(&k, err) && find_facts(&k, err) && make_plan(&k, err) && write_files(&k, err);
    if (ok) {
        show_plan(&k);
        show_next(&k);
    }
    discovery_free(&k.found);
    free_set(&k.train);
    free_set(&k.val);
    strbuf_free(&k.yaml);
    free(k.model.yaml);
    free(k.folder);
    free(k.out);
    free(k.save_dir);
    free(k.lists[0]);
    free(k.lists[1]);
    return ok;
}
