/* config/detector_keys.c -- the part of a configuration that detection needs. */
#include "base/table.h"
#include "config/section.h"

/* Keys and whole sections.  The number of images per batch belongs to them: resize keep pads an image to the largest
 * of its batch.  data.train.input_size is the size that the parameters are declared with. */
static const struct { const char *name; } kept[] = {
    { "class_names" }, { "seed" }, { "model" }, { "test" }, { "device.batchsize_per_gpu" },
    { "data.train.input_size" }, { "data.val.input_size" }, { "data.val.keep_ratio" }, { "data.val.resize" },
    { "data.val.multi_scale" }, { "data.val.scaled_decode" }, { "data.val.pipeline" }, {0} };

/* Keys within those sections that name files, or that only training reads. */
static const char *const dropped[] = {
    "model.arch.backbone.pretrain", "model.arch.backbone.pretrained", "model.arch.backbone.checkpoint_path",
    "model.arch.head.loss", "model.arch.head.assigner_cfg", "model.arch.aux_head.loss" };
enum { DROPPED = sizeof dropped / sizeof *dropped };

/* ---- writing ---- */

static bool copy_key(struct entry *to, const struct entry *from, const char *path, struct error *err)
{
    const struct entry *e = tree_find(from, path);
    if (!e)
        return true;
    struct entry *copy = tree_place(to, path, e->place, err);
    return copy && entry_copy(copy, e, err);
}

bool config_write_detector(const struct config *config, struct strbuf *out, struct error *err)
{
    struct entry root = { .kind = SECTION };
    bool ok = true;
    for (int i = 0; ok && kept[i].name; i++)
        ok = copy_key(&root, &config->root, kept[i].name, err);
    for (int i = 0; i < DROPPED; i++)
        tree_remove(&root, dropped[i]);
    for (int i = 0; i < config->ignored.count; i++)
        tree_remove(&root, config->ignored.list[i]);
    if (ok)
        tree_write(&root, out);
    tree_free(&root);
    return ok && strbuf_ok(out, err);
}

/* ---- reading ---- */

/* The first value below e that is not kept, and its path; NULL if there is none. */
static const struct entry *first_foreign(const struct entry *e, struct path *path)
{
    if (e->kind != SECTION)
        return e;
    for (const struct entry *child = e->child; child; child = child->next) {
        struct path inner = path_of(path->s, child->name);
        const struct entry *found = find_row(inner.s, kept, sizeof *kept) ? NULL : first_foreign(child, &inner);
        if (found) {
            *path = inner;
            return found;
        }
    }
    return NULL;
}

bool detector_keys_only(const struct config *config, struct error *err)
{
    struct path path = {0};
    const struct entry *found = first_foreign(&config->root, &path);
    for (int i = 0; !found && i < DROPPED; i++)
        if ((found = tree_find(&config->root, dropped[i])))
            path = path_of("", dropped[i]);
    return !found || misuse(err, "%s has no place in the description of a model", place_text(found->place, path.s).s);
}

bool detector_keys_effective(const struct config *config, struct error *err)
{
    for (int i = 0; i < config->ignored.count; i++) {
        const char *path = config->ignored.list[i];
        const struct entry *e = tree_find(&config->root, path);
        if (e && e->place.file == config->file)
            return misuse(err, "%s has no effect in this version", place_text(e->place, path).s);
    }
    return true;
}
