#include "cli/session.h"

#include "base/escape.h"
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/image.h"
#include "train/checkpoint.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True if a folder is `outer` or lies in it. */
static bool lies_in(const char *folder, const char *outer)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (!*outer || !realpath(folder, a) || !realpath(outer, b))
        return false;
    const size_t length = strlen(b);
    return starts_with(a, b) && (a[length] == 0 || a[length] == '/');
}

/* --dets DIR writes a text file per image, which would replace the annotations of the image in DIR. */
static bool dets_spare_annotations(const struct args *args, const struct config *c, struct error *err)
{
    const char *const folders[] = { c->train.ann_path, c->val.ann_path }, *dets = args_text(args, "dets");
    const enum path_kind kind = dets ? path_kind(dets, err) : PATH_ABSENT;
    for (int i = 0; kind == PATH_FOLDER && i < 2; i++)
        if (lies_in(dets, folders[i]))
            return misuse(err, "%s: --dets %.200s would overwrite annotations in %.200s", args->command->name, dets,
                          folders[i]);
    return kind != PATH_ERROR;
}

bool outputs_spare_data(const struct args *args, const struct config *c, struct error *err)
{
    const char *const files[] = { c->train.ann_path, c->val.ann_path, c->train.image_list, c->val.image_list,
                                  c->schedule.load_model, c->model.teacher.config, c->model.teacher.weights };
    return args_outputs_apart(args, files, sizeof files / sizeof *files, err) && dets_spare_annotations(args, c, err);
}

bool session_open(struct session *s, const struct args *args, struct error *err)
{
    const char *file = args->config ? NULL : args_text(args, "weights");
    if (!args_policy(args, &s->policy, err))
        return false;
    const bool ok = file ? file_config_open(&s->model, &s->config, file, args->overrides, args->override_count, err)
                         : args_config(args, &s->config, err) && model_open(&s->model, &s->config, err);
    args_tell_ignored(&s->config);
    if (ok)
        image_memory(s->config.decode_mb);
    return ok && outputs_spare_data(args, &s->config, err);
}

void session_close(struct session *s)
{
    model_free(&s->model);
    config_free(&s->config);
}

const char *session_weights(const struct session *s, const struct args *args)
{
    const char *path = args_text(args, "weights");
    return path ? path : s->config.schedule.load_model;
}

bool session_load(struct session *s, const struct args *args, struct error *err)
{
    const char *path = session_weights(s, args);
    struct string_list notes = {0};
    if (!*path)
        return misuse(err, "%s: --weights FILE must be given", args->command->name);
    const bool ok = model_load(&s->model, path, LOAD_TO_RUN, s->model.params.value, &notes, err);
    for (int i = 0; ok && i < notes.count; i++)
        show_line("", notes.list[i]);
    string_list_free(&notes);
    return ok;
}

bool session_tiles(struct session *s, const struct args *args, struct error *err)
{
    const char *text = args_text(args, "tiles");
    struct ints *size = &s->config.val_tiles.size;
    if (!text)
        return true;
    *size = (struct ints){ .count = strchr(text, 'x') ? 2 : 1 };
    if (strcmp(text, "auto") == 0)
        return true;
    if (!isdigit((unsigned char)*text))
        return misuse(err, "--tiles %.200s: give a size in pixels, WIDTHxHEIGHT or auto", text);
    return size->count == 2 ? args_pair(args, "tiles", 'x', TILE_MIN, TILE_MAX, &size->at[0], &size->at[1], err)
                            : args_int(args, "tiles", TILE_MIN, TILE_MAX, &size->at[0], err);
}

bool session_score(const struct session *s, const struct args *args, double *score, struct error *err)
{
    const char *text = args_text(args, "score"), *weights = session_weights(s, args);
    *score = s->config.shown_score;
    if (!text || strcmp(text, "auto") != 0)
        return args_real(args, "score", 0.0001, 0.9999, score, err);
    return !*weights                                            /* session_load asks for weights */
        || (checkpoint_threshold(weights, score, err)
            && (*score >= 0 || misuse(err, "%s: the file has no score threshold, as model_best and its exports have: "
                                           "give a number; test prints the best one", weights)));
}

bool rewrites_lines(void)
{
    const char *terminal = getenv("TERM"), *plain = getenv("NO_COLOR");
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0 && !(plain && *plain);
}

void show_line(const char *prefix, const char *text)
{
    fprintf(stderr, "%s%s", rewrites_lines() ? "\r\033[K" : "", prefix);
    print_escaped(stderr, text);
    fputc('\n', stderr);
}

bool show_notes(const struct dataset *set, const char *section, struct error *err)
{
    struct string_list notes = {0};
    const bool ok = dataset_notes(set, section, &notes, err);
    for (int i = 0; i < notes.count; i++)
        show_line("", notes.list[i]);
    string_list_free(&notes);
    return ok;
}

void show_progress(int before, int done, int all)
{
    enum { LINES = 4 };
    if (rewrites_lines())
        fprintf(stderr, "\r\033[K%d of %d images%s", done, all, done < all ? "" : "\n");
    else if ((int64_t)done * LINES / all != (int64_t)before * LINES / all)
        fprintf(stderr, "%d of %d images\n", done, all);
}

static bool write_text(const struct strbuf *text, const char *file, struct error *err)
{
    if (!strbuf_check(text, err))
        return false;
    if (file)
        return file_write(file, text->s, text->size, err);
    fwrite(text->s, 1, text->size, stdout);     /* main checks for errors */
    return true;
}

bool write_json(cJSON *json, const char *file, struct error *err)
{
    struct strbuf text = {0};
    char *printed = json ? json_print(json) : NULL;
    if (printed)
        strbuf_addf(&text, "%s\n", printed);
    const bool ok = printed ? write_text(&text, file, err) : fail(err, "out of memory for a JSON text");
    strbuf_free(&text);
    free(printed);
    cJSON_Delete(json);
    return ok;
}

bool show_score(const struct score_report *report, struct error *err)
{
    struct strbuf text = {0};
    report_table(report, &text);
    const bool ok = strbuf_check(&text, err);
    if (ok)
        fputs(text.s, stderr);
    strbuf_free(&text);
    return ok;
}

bool write_score(const struct score_report *report, const char *json_file, struct error *err)
{
    struct strbuf text = {0};
    bool ok = true;
    if (json_file)
        ok = report_json(report, &text, err);
    else
        report_table(report, &text);
    ok = ok && write_text(&text, json_file, err);
    strbuf_free(&text);
    return ok;
}
