#include "cli/session.h"

#include "base/printable.h"
#include "data/picture.h"
#include "model/file_config.h"
#include "model/load.h"
#include <string.h>
#include <unistd.h>

bool outputs_spare_data(const struct args *args, const struct config *c, struct error *err)
{
    const char *const files[] = { c->train.ann_path, c->val.ann_path, c->train.image_list, c->val.image_list,
                                  c->schedule.load_model };
    return args_outputs_apart(args, files, sizeof files / sizeof *files, err);
}

bool session_open(struct session *s, const struct args *args, struct error *err)
{
    const char *file = args->config ? NULL : args_text(args, "weights");
    const bool ok = file ? file_config_open(&s->model, &s->config, file, args->overrides, args->override_count, err)
                         : args_config(args, &s->config, err) && model_open(&s->model, &s->config, err);
    args_tell_ignored(&s->config);
    if (ok)
        picture_memory(s->config.decode_mb);
    return ok && outputs_spare_data(args, &s->config, err);
}

void session_close(struct session *s)
{
    model_free(&s->model);
    config_free(&s->config);
}

bool session_load(struct session *s, const struct args *args, struct error *err)
{
    const char *path = args_text(args, "weights");
    struct names notes = {0};
    if (!path)
        path = s->config.schedule.load_model;
    if (!*path)
        return misuse(err, "%s: --weights FILE must be given", args->command->name);
    const bool ok = model_load(&s->model, path, LOAD_TO_RUN, s->model.params.value, &notes, err);
    for (int i = 0; ok && i < notes.count; i++)
        show_line("", notes.list[i]);
    names_free(&notes);
    return ok;
}

bool session_score(const struct session *s, const struct args *args, double *score, struct error *err)
{
    *score = config_shown_score(&s->config);
    return args_real(args, "score", 0.0001, 0.9999, score, err);
}

void show_line(const char *prefix, const char *text)
{
    fprintf(stderr, "%s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "", prefix);
    print_printable(stderr, text);
    fputc('\n', stderr);
}

void show_notes(const struct dataset *set, const char *section)
{
    struct text notes = {0};
    char *rest;
    dataset_notes_text(set, section, &notes);
    for (char *line = notes.s ? strtok_r(notes.s, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
        show_line("", line);
    text_free(&notes);
}

void show_progress(int before, int done, int all)
{
    enum { LINES = 4 };
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%d of %d images%s", done, all, done < all ? "" : "\n");
    else if ((int64_t)done * LINES / all != (int64_t)before * LINES / all)
        fprintf(stderr, "%d of %d images\n", done, all);
}

static bool write_text(const struct text *text, const char *file, struct error *err)
{
    if (!text_ok(text, err))
        return false;
    if (file)
        return file_write(file, text->s, text->size, err);
    fwrite(text->s, 1, text->size, stdout);     /* main asks whether that went well */
    return true;
}

bool write_json(cJSON *json, const char *file, struct error *err)
{
    struct text text = {0};
    char *printed = json ? cJSON_PrintUnformatted(json) : NULL;
    if (printed)
        text_add(&text, "%s\n", printed);
    const bool ok = printed ? write_text(&text, file, err) : fail(err, "out of memory for a JSON text");
    text_free(&text);
    cJSON_free(printed);
    cJSON_Delete(json);
    return ok;
}

bool write_score(const struct score_report *report, const char *json_file, struct error *err)
{
    struct text text = {0};
    bool ok = true;
    if (json_file)
        ok = report_json(report, &text, err);
    else
        report_table(report, &text);
    ok = ok && write_text(&text, json_file, err);
    text_free(&text);
    return ok;
}
