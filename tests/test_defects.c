/* tests/test_defects.c -- correct data or a clear error: each set has one defect and is given to each command.
 * tests/defects.h is the table. */
#include "base/file.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "data/dataset_read.h"
#include "defect_set.h"
#include "defects.h"
#include "json_file.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>

enum { CHECK, TRAIN, TEST, CONVERT, EVAL, COMMANDS };
static const char *const command_names[COMMANDS] = { "check", "train", "test", "convert", "eval" };

struct outcome { int exit; char *text; };       /* what the command printed on stdout and stderr */

static int cells, tries;                        /* commands compared with the table; with odd values of keys */
static struct strbuf wrong, pending;              /* cells that are not as the table has them */

/* ---- commands ---- */

static int redirect(int stream, int to)
{
    const int kept = dup(stream);
    dup2(to, stream);
    return kept;
}

static void restore(int stream, int kept)
{
    dup2(kept, stream);
    close(kept);
}

/* Words up to a NULL, then the overrides of the set if wanted. */
static struct outcome run(const char *const *words, bool overrides)
{
    char *argv[32] = { (char *)(uintptr_t)"nanodet" };
    struct args args = {0};
    struct error err = {0};
    struct bytes printed = {0};
    struct strbuf text = {0};
    int argc = 1;
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    for (int i = 0; overrides && i < made.override_count; i++)
        argv[argc++] = made.overrides[i];
    fflush(NULL);
    const int file = open(in_folder("printed"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    const int out = redirect(STDOUT_FILENO, file), screen = redirect(STDERR_FILENO, file);
    const bool ok = args_parse(&args, commands, argc, argv, &err) && args.command->run(&args, &err);
    fflush(NULL);
    restore(STDOUT_FILENO, out);
    restore(STDERR_FILENO, screen);
    close(file);
    args_free(&args);
    assert_true(file_read(&printed, in_folder("printed"), NULL));
    strbuf_addf(&text, "%s%s\n", (char *)printed.p, ok ? "" : err.text);
    bytes_free(&printed);
    return (struct outcome){ ok ? 0 : err.exit, text.s };
}

static struct outcome run_command(int command, const char *config, const char *weights, const char *detections)
{
    static char run_folder[100], threads[] = "--threads=1";
    snprintf(run_folder, sizeof run_folder, "save_dir=%s", in_folder("run"));
    const char *const words[COMMANDS][10] = {
        [CHECK]   = { "check", config, threads },
        [TRAIN]   = { "train", config, run_folder, threads },
        [TEST]    = { "test", config, "--weights", weights, threads },
        [CONVERT] = { "convert", set_format()->name, in_folder("set/train"), "--classes", in_folder("set/classes.txt"),
                      "--out", in_folder("converted.json"), threads },
        [EVAL]    = { "eval", config, detections, "--json", in_folder("score.json"), threads } };
    return run(words[command], command != CONVERT);
}

/* ---- the base of a format: a configuration, weights and detections ---- */

struct base { char config[120], weights[120], detections[120]; };

static void write_config(const struct base *base)
{
    const struct format *f = set_format();
    const char *json = made.format == DATASET_COCO ? "/ann.json" : "";
    struct strbuf yaml = {0};
    strbuf_addf(&yaml,
        "save_dir: %1$s/base\n"
        "model:\n"
        "  arch:\n"
        "    name: NanoDetPlus\n"
        "    backbone: {name: CustomCspNet, out_stages: [2],\n"
        "               net_cfg: [[Conv, 3, 8, 3, 2], [Conv, 8, 8, 3, 2], [Conv, 8, 8, 3, 2]]}\n"
        "    fpn: {name: FPN, in_channels: [8], out_channels: 8, num_outs: 1}\n"
        "    head: {name: NanoDetPlusHead, input_channel: 8, feat_channels: 8, stacked_convs: 1, strides: [8]}\n"
        "data:\n", folder);
    for (int i = 0; i < 2; i++)
        strbuf_addf(&yaml, "  %1$s: {name: %2$s, img_path: %3$s/set/%1$s/images, input_size: [64, 64],\n"
                    "    ann_path: %3$s/set/%1$s/annotations%4$s}\n", set_names[i], f->dataset, folder, json);
    strbuf_addf(&yaml,
        "device: {batchsize_per_gpu: 2}\n"
        "schedule: {optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}, total_epochs: 1, val_intervals: 1}\n"
        "class_names: [%s]\n", f->class_names);
    assert_true(strbuf_check(&yaml, NULL) && file_write(base->config, yaml.s, yaml.size, NULL));
    strbuf_free(&yaml);
}

/* Runs a command that has to work. */
static void works(const char *const *words)
{
    const struct outcome o = run(words, false);
    if (o.exit)
        fail_msg("%s", o.text);
    free(o.text);
}

/* The objects of the validation set, each found: the score is 1. */
static void write_detections(const struct base *base)
{
    static const char *const names[2][2] = { { "cat", "dog" }, { "car", "van" } };
    struct strbuf t = {0};
    for (int i = TRAINED + 1; i <= IMAGES; i++)
        for (int k = 0; k < made.scenes[i].count; k++) {
            const double *box = made.scenes[i].objects[k].box;
            strbuf_addf(&t, "%s{\"image_id\": 0, \"category_id\": 0, \"file_name\": \"%d.jpg\", "
                        "\"category_name\": \"%s\", \"image_count\": %d, \"score\": 0.9, \"bbox\": [%g, %g, %g, %g]}",
                        t.size ? ", " : "[", i, names[made.format == DATASET_VISDRONE][k], IMAGES - TRAINED, box[0],
                        box[1], box[2], box[3]);
        }
    strbuf_addf(&t, "]");
    assert_true(strbuf_check(&t, NULL) && file_write(base->detections, t.s, t.size, NULL));
    strbuf_free(&t);
}

static void make_base(struct base *base, enum dataset_format format)
{
    static const char *const no_steps[] = { NULL };
    make_set(format, no_steps);
    snprintf(base->config, sizeof base->config, "%s/config.yml", folder);
    snprintf(base->weights, sizeof base->weights, "%s/base/model_last.safetensors", folder);
    snprintf(base->detections, sizeof base->detections, "%s/detections.json", folder);
    write_config(base);
    works((const char *const[]){ "train", base->config, "--threads=1", NULL });
    write_detections(base);
}

/* ---- expectations ---- */

/* "2.ann" becomes the name of the annotation file of image 2. */
static void name_files(const char *says, char *out, size_t size)
{
    const char *ann = strstr(says, ".ann"), *suffix = set_format()->suffix;
    if (!ann || ann == says || !isdigit((unsigned char)ann[-1]))
        snprintf(out, size, "%s", says);
    else if (suffix)
        snprintf(out, size, "%.*s%s%s", (int)(ann - says), says, suffix, ann + 4);
    else
        snprintf(out, size, "%.*sann.json%s", (int)(ann - says) - 1, says, ann + 4);
}

/* Returns true if the text has a line with a row's message; notes begin with the key of their set. */
static bool has_line(const char *text, const char *says, const char *key)
{
    for (const char *at = text; (at = strstr(at, says)); at++) {
        const char *begin = at;
        while (begin > text && begin[-1] != '\n')
            begin--;
        const char *found = strstr(begin, key);
        if (found && found <= at)
            return true;
    }
    return false;
}

/* Returns true if the defect is in a set, 0 for train, 1 for val; a defect without a set is in both. */
static bool is_about(const struct row *row, int set)
{
    static const char *const names[2][2] = { { " train/", "set data.train." }, { " val/", "set data.val." } };
    bool about[2] = {0};
    for (const char *const *step = row->steps; *step; step++)
        for (int i = 0; i < 2; i++)
            about[i] |= starts_with(*step, "set ") ? starts_with(*step, names[i][1]) : !!strstr(*step, names[i][0]);
    return about[set] || !(about[0] || about[1]);
}

/* Returns true if a command must report the defect: it fails, or it reads the set and no command fails. */
static bool has_to_say(const struct row *row, int command)
{
    const bool reads = command == CHECK || command == TRAIN || is_about(row, command == CONVERT ? 0 : 1);
    return row->says && (row->exits[command] != '0' || (reads && row->exits[CHECK] == '0'));
}

/* Why a cell is not as its row has it, or NULL. */
static const char *fault_of(const struct row *row, int command, const struct outcome *o)
{
    static char fault[100];
    char says[300];
    const int exit = row->exits[command] - '0';
    const char *key = row->exits[CHECK] != '0' || command == CONVERT ? ""
                    : command == TEST || command == EVAL || !is_about(row, 0) ? "data.val" : "data.train";
    snprintf(fault, sizeof fault, "exit %d, not %d", o->exit, exit);
    if (o->exit != exit)
        return fault;
    if (command == TRAIN && exit && strstr(o->text, "step 1/"))
        return "fails after it has trained";
    if (!has_to_say(row, command))
        return NULL;
    name_files(row->says, says, sizeof says);
    return has_line(o->text, says, key) ? NULL : "does not say so";
}

static void compare(const struct row *row, int command, const struct outcome *o)
{
    const bool later = row->later && strchr(row->later, "krtce"[command]);
    const char *fault = fault_of(row, command, o);
    cells++;
    if (later && fault)
        strbuf_addf(&pending, "  %s, %s, %s: %s\n", set_format()->name, row->defect, command_names[command], fault);
    else if (later)
        strbuf_addf(&wrong, "%s, %s, %s: as expected now, remove it from `later`\n", set_format()->name, row->defect,
                    command_names[command]);
    else if (fault)
        strbuf_addf(&wrong, "%s, %s, %s: %s:\n%.1500s\n", set_format()->name, row->defect, command_names[command],
                    fault, o->text);
}

/* Messages are UTF-8 without control characters, whatever the files hold. */
static void compare_text(const struct row *row, int command, const struct outcome *o)
{
    bool clean = !o->text || text_is_utf8(o->text);
    for (const char *p = o->text; clean && p && *p; p++)
        clean = *p == '\n' || !iscntrl((unsigned char)*p);
    if (!clean)
        strbuf_addf(&wrong, "%s, %s, %s: control characters or no UTF-8:\n%s\n", set_format()->name, row->defect,
                    command_names[command], o->text);
}

/* If check exits 0, train and test do, too; else one of them fails, too. */
static void compare_commands(const struct row *row, const struct outcome *o)
{
    const bool fails = o[TRAIN].exit || o[TEST].exit;
    for (int i = 0; i < COMMANDS; i++)
        if (o[i].exit < 0 || o[i].exit > 2)
            strbuf_addf(&wrong, "%s, %s: %s ends with %d\n", set_format()->name, row->defect, command_names[i],
                        o[i].exit);
    if (row->later)
        return;
    if (fails && !o[CHECK].exit)
        strbuf_addf(&wrong, "%s, %s: check is content, train or test is not\n", set_format()->name, row->defect);
    if (!fails && o[CHECK].exit)
        strbuf_addf(&wrong, "%s, %s: check is not content, train and test are\n", set_format()->name, row->defect);
}

/* "IMAGES BOXES", or "IMAGES BOXES: X Y WIDTH HEIGHT" of the first box. */
static void add_value(struct strbuf *t, const struct dataset *set)
{
    strbuf_addf(t, "%d %d", set->image_count, set->annotation_count);
    for (int i = 0; set->annotation_count && i < 4; i++)
        strbuf_addf(t, "%s %.6g", i ? "" : ":", set->annotations[0].box[i]);
}

static void compare_value(const struct row *row, const struct base *base)
{
    const char *overrides[4];
    struct config config = {0};
    struct dataset set;
    struct strbuf t = {0};
    for (int i = 0; i < made.override_count; i++)
        overrides[i] = made.overrides[i];
    assert_true(config_read(&config, base->config, overrides, made.override_count, NULL));
    const struct dataset_source source = dataset_source_of(is_about(row, 0) ? &config.train : &config.val);
    dataset_read(&set, &source, NULL);
    add_value(&t, &set);
    if (!starts_with(t.s, row->value))
        strbuf_addf(&wrong, "%s, %s: the set is %s, not %s\n", set_format()->name, row->defect, t.s, row->value);
    strbuf_free(&t);
    dataset_free(&set);
    config_free(&config);
}

/* The output of convert has the same images and boxes. */
static void compare_converted(const struct row *row)
{
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder("converted.json") };
    struct dataset set;
    struct strbuf t = {0};
    assert_true(dataset_read(&set, &source, NULL));
    add_value(&t, &set);
    if (!starts_with(t.s, row->value))
        strbuf_addf(&wrong, "%s, %s: convert writes %s, not %s\n", set_format()->name, row->defect, t.s, row->value);
    strbuf_free(&t);
    dataset_free(&set);
}

/* All objects of an intact validation set are found, each as what it is. */
static void compare_score(const struct row *row)
{
    struct error err;
    double ap = -1;
    cJSON *score = json_read(in_folder("score.json"), &err);
    json_real(cJSON_GetObjectItemCaseSensitive(score, "AP"), &ap);
    cJSON_Delete(score);
    if (fabs(ap - 1) > 1e-9 && (!is_about(row, 1) || (row->value && strchr(row->value, ':'))))
        strbuf_addf(&wrong, "%s, %s: eval scores %g, not 1\n", set_format()->name, row->defect, ap);
}

/* ---- the table ---- */

static void run_row(const struct row *row, const struct base *base)
{
    struct outcome o[COMMANDS] = {0};
    make_set(made.format, row->steps);
    for (int i = 0; i < COMMANDS; i++)
        if (row->exits[i] != '-' && !(i == CONVERT && made.format == DATASET_COCO)) {
            o[i] = run_command(i, base->config, base->weights, base->detections);
            compare(row, i, &o[i]);
        }
    compare_commands(row, o);
    if (row->value)
        compare_value(row, base);
    if (row->value && o[CONVERT].text && !o[CONVERT].exit && is_about(row, 0))
        compare_converted(row);
    if (o[EVAL].text && !o[EVAL].exit)
        compare_score(row);
    for (int i = 0; i < COMMANDS; i++) {
        compare_text(row, i, &o[i]);
        free(o[i].text);
    }
    remove_all(in_folder("run"));
}

static void end_test(void)
{
    const bool right = !wrong.size;
    fprintf(stderr, "%s", right ? "" : wrong.s);
    strbuf_free(&wrong);
    assert_true(right);
}

static void run_table(void **state)
{
    static struct base base;
    const enum dataset_format format = *(const enum dataset_format *)*state;
    const char *only = getenv("DEFECT");
    make_base(&base, format);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].formats & 1u << format && (!only || strstr(rows[i].defect, only)))
            run_row(&rows[i], &base);
    end_test();
}

/* ---- every key of the configuration with odd values ---- */

/* If check exits 0, train and test do, too. */
static void try_value(const struct base *base, const char *key, const char *value)
{
    struct outcome o[COMMANDS] = {0};
    snprintf(made.overrides[0], sizeof *made.overrides, "%s=%s", key, value);
    made.override_count = 1;
    for (int i = CHECK; i <= TEST; i++, tries++)
        o[i] = run_command(i, base->config, base->weights, base->detections);
    if ((o[TRAIN].exit || o[TEST].exit) && !o[CHECK].exit)
        strbuf_addf(&wrong, "%s: check is content, train or test is not:\n%s%s\n", made.overrides[0], o[TRAIN].text,
                    o[TEST].text);
    if (o[CHECK].exit && !o[TRAIN].exit && !o[TEST].exit)
        strbuf_addf(&wrong, "%s: check is not content, train and test are:\n%s\n", made.overrides[0], o[CHECK].text);
    for (int i = CHECK; i <= TEST; i++)
        free(o[i].text);
    remove_all(in_folder("run"));
}

static void try_values(const struct base *base, const char *key)
{
    static const char *const values[] = { "0", "-1", "1e30", "nan", "abc", "[]", "[0, 0]" };
    static const char *const left_out[] = { "save_dir", "schedule.load_model", NULL };      /* rows of the table */
    for (const char *const *name = left_out; *name; name++)
        if (strcmp(*name, key) == 0)
            return;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        try_value(base, key, values[i]);
}

static void run_keys(void **state)
{
    static struct base base;
    struct strbuf manual = {0};
    char key[80], *rest;
    (void)state;
    make_base(&base, DATASET_COCO);
    write_config_manual(&manual);
    assert_true(strbuf_check(&manual, NULL));
    for (char *line = strtok_r(manual.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *both = strstr(line, "{train,val}"), *last = both ? strchr(both, '}') + 1 : line;
        const int n = (int)strcspn(last, " *");
        for (int i = 0; n && last[n] == ' ' && i < (both ? 2 : 1); i++) {
            snprintf(key, sizeof key, "%s%s%.*s", both ? "data." : "", both ? set_names[i] : "", n, last);
            try_values(&base, key);
        }
    }
    strbuf_free(&manual);
    end_test();
}

/* Files in memory: a training writes and syncs many. */
static int make_memory_folder(void **state)
{
    strcpy(folder, "/dev/shm/nanodet_test_XXXXXX");
    return mkdtemp(folder) ? 0 : make_folder(state);
}

int main(void)
{
    static enum dataset_format kinds[FORMATS] = { DATASET_COCO, DATASET_XML, DATASET_YOLO, DATASET_VISDRONE,
                                                  DATASET_LABELME };
    struct CMUnitTest tests[FORMATS + 1] = {
        [FORMATS] = { "keys", run_keys, make_memory_folder, remove_folder, NULL } };
    for (int i = 0; i < FORMATS; i++)
        tests[i] = (struct CMUnitTest){ formats[i].name, run_table, make_memory_folder, remove_folder, &kinds[i] };
    const int failed = cmocka_run_group_tests_name("defects", tests, NULL, NULL);
    if (pending.size)
        printf("not as expected yet, see `later` in tests/defects.h:\n%s", pending.s);
    printf("%d cells: %d of format x defect x command, %d of key x value x command\n", cells + tries, cells, tries);
    strbuf_free(&pending);
    return failed;
}
