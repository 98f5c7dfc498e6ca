/* config/detector_keys.c -- the part of a configuration that detection needs. */
#include "base/table.h"
#include "config/section.h"

/* The keys to write; of a section, all keys.  With data.val.resize: keep, an image is padded to the largest of its
 * batch, so device.batchsize_per_gpu changes detections.  data.train.input_size is the size of the graph that declares
 * the parameters: a position embedding has its shape.  Rows for find_row. */
static const struct { const char *name; } kept[] = {
    { "class_names" }, { "seed" }, { "model" }, { "test" }, { "device.batchsize_per_gpu" },
    { "data.train.input_size" }, { "data.val.input_size" }, { "data.val.keep_ratio" }, { "data.val.resize" },
    { "data.val.multi_scale" }, { "data.val.scaled_decode" }, { "data.val.pipeline" },
    { "data.val.tiles" }, {0} };

/* Keys of these sections that are not written: they name files, or only training reads them. */
static const char *const dropped[] = {
    "model.arch.backbone.pretrain", "model.arch.backbone.pretrained", "model.arch.backbone.checkpoint_path",
    "model.arch.head.loss", "model.arch.head.assigner_cfg", "model.arch.aux_head.loss", "model.guide", "model.teacher",
    "model.distill", "data.val.pipeline.flip_vertical", "data.val.pipeline.rotate90", "data.val.pipeline.copy_paste" };
enum { DROPPED_COUNT = sizeof dropped / sizeof *dropped };

/* ---- writing ---- */

static bool copy_key(struct entry *to, const struct entry *from, const char *path, struct error *err)
{
    const struct entry *e = tree_find(from, path);
    if (!e)                                         /* optional keys of the model's parts */
        return true;
    struct entry *copy = tree_find_or_add(to, path, e->place, err);
    return copy && entry_copy(copy, e, err);
}

bool config_write_detector_keys(const struct config *config, struct strbuf *out, struct error *err)
{
    struct entry root = { .kind = SECTION };
    bool ok = true;
    for (int i = 0; ok && kept[i].name; i++)
        ok = copy_key(&root, &config->root, kept[i].name, err);
    for (int i = 0; i < DROPPED_COUNT; i++)
        tree_remove(&root, dropped[i]);
    tree_remove(&root, "model.weight_averager.tau");    /* older versions read the description, too */
    tree_remove(&root, "model.weight_averager.span");
    if (config->val_tiles.size.count == 0)
        tree_remove(&root, "data.val.tiles");
    for (int i = 0; i < config->ignored.count; i++)
        tree_remove(&root, config->ignored.list[i]);
    if (ok)
        tree_write(&root, out);
    tree_free(&root);
    return ok && strbuf_check(out, err);
}

/* ---- checking what was read ---- */

/* Returns the first value below e whose key is not in `kept`, NULL if there is none.  *path is the path of e, and
 * becomes that of the value. */
static const struct entry *first_not_kept(const struct entry *e, struct key_path *path)
{
    if (e->kind != SECTION)
        return e;
    for (const struct entry *child = e->child; child; child = child->next) {
        struct key_path child_path = key_path_of(path->s, child->name);
        if (find_row(child_path.s, kept, sizeof *kept))
            continue;
        const struct entry *found = first_not_kept(child, &child_path);
        if (found) {
            *path = child_path;
            return found;
        }
    }
    return NULL;
}

bool refuse_other_keys(const struct config *config, struct error *err)
{
    struct key_path path = {0};
    const struct entry *found = first_not_kept(&config->root, &path);
    for (int i = 0; !found && i < DROPPED_COUNT; i++) {
        found = tree_find(&config->root, dropped[i]);
        path = key_path_of("", dropped[i]);
    }
    return !found || misuse(err, "%s is not allowed in the configuration of a weights file",
                            format_place(found->place, path.s).s);
}

bool refuse_ignored_keys(const struct config *config, struct error *err)
{
    for (int i = 0; i < config->ignored.count; i++) {
        const char *path = config->ignored.list[i];
        const struct entry *e = tree_find(&config->root, path);
        const bool from_file = e && e->place.file == config->file;  /* not a preset; the same string, not a copy */
        if (from_file)
            return misuse(err, "%s has no effect in this version", format_place(e->place, path).s);
    }
    return true;
}
