#include "train/save_dir.h"

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/path.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* The files of a run.  atomic: written through a temporary file.  weights: may be given as --weights, since the run
 * renames it before it writes a new one. */
static const struct run_file { const char *name; bool atomic, weights; } files[] = {
    { "config.yml", true, false },
    { "train.log", false, false },
    { "train.lock", false, false },
    { "metrics.csv", true, false },
    { "eval.csv", true, false },
    { "eval.csv.old", false, false },
    { "curves.png", true, false },
    { "report.html", true, false },
    { "report.json", true, false },
    { "train_batch0.jpg", true, false },
    { "train_batch1.jpg", true, false },
    { "train_batch2.jpg", true, false },
    { "model_last.safetensors", true, true },
    { "model_last.safetensors.old", false, false },
    { "model_last.safetensors.trial", true, false },
    { "model_best/model_best.safetensors", true, true },
    { "model_best/model_best.safetensors.old", false, false } };
enum { FILES = sizeof files / sizeof *files };

/* Fails if a file of the run would overwrite an input of the training. */
static bool check_overwrite(const struct run_file *file, const char *path, const struct config *c, const char *weights,
                            const char *pretrain, struct error *err)
{
    const struct { const char *path; bool weights, config; } inputs[] = {
        { c->train.ann_path, false, false },    { c->train.image_list, false, false },
        { c->val.ann_path, false, false },      { c->val.image_list, false, false },
        { c->schedule.load_model, true, false }, { weights, true, false },
        { pretrain, true, false },
        { c->model.teacher.config, false, false }, { c->model.teacher.weights, false, false },
        { c->file, false, true } };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const char *input = inputs[i].path;
        const bool allowed = !input || !*input || (inputs[i].weights && file->weights) || !same_target(path, input)
                           || (inputs[i].config && config_is_written(input));
        if (!allowed)
            return misuse(err, "%s: the training would overwrite %s, which it reads: choose another save_dir",
                          config_place(c, "save_dir").s, input);
    }
    return true;
}

static bool check_inputs(const struct config *c, const char *weights, const char *pretrain, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < FILES; i++) {
        char *path = path_join(c->save_dir, files[i].name, err);
        ok = path && check_overwrite(&files[i], path, c, weights, pretrain, err);
        free(path);
    }
    return ok;
}

static bool remove_stale(const char *folder, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < FILES; i++) {
        char *path = files[i].atomic ? path_join(folder, files[i].name, err) : NULL;
        ok = !files[i].atomic || (path && atomic_remove_stale(path, err));
        free(path);
    }
    return ok;
}

static bool lock_folder(FILE **lock, int *unlocked, const char *folder, struct error *err)
{
    char *path = path_join(folder, "train.lock", err);
    *unlocked = 0;
    *lock = path ? fopen(path, "ae") : NULL;
    bool ok = *lock || (path && fail(err, "%s: %s", path, errno_text(errno)));
    if (ok && flock(fileno(*lock), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            ok = fail(err, "%s: another training is running in this save_dir: wait for its end or choose another "
                      "save_dir", folder);
        else if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS)
            *unlocked = errno;
        else
            ok = fail(err, "%s: %s", path, errno_text(errno));
    }
    free(path);
    return ok;
}

bool save_dir_open(FILE **lock, int *unlocked, const struct config *c, const char *weights, const char *pretrain,
                   struct error *err)
{
    struct error cause;
    if (!check_inputs(c, weights, pretrain, err))
        return false;
    if (!make_folders(c->save_dir, &cause))
        return fail(err, "%s: %s: cannot be made: %s", config_place(c, "save_dir").s, c->save_dir, cause.text);
    char *best = path_join(c->save_dir, "model_best", err);
    const bool ok = best && lock_folder(lock, unlocked, c->save_dir, err) && make_folders(best, err)
                 && remove_stale(c->save_dir, err);
    free(best);
    return ok;
}

bool rename_old(const char *path, struct error *err)
{
    struct strbuf old = {0};
    strbuf_addf(&old, "%s.old", path);
    const enum path_kind kind = strbuf_check(&old, err) ? path_kind(path, err) : PATH_ERROR;
    const bool ok = kind && (kind == PATH_ABSENT || rename(path, old.s) == 0
                             || fail(err, "%s: cannot be renamed: %s", path, errno_text(errno)));
    strbuf_free(&old);
    return ok;
}
