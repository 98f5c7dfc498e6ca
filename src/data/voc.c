#include "data/voc.h"

#include "data/folder.h"
#include "data/picture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool add_box(struct dataset_builder *b, const struct dataset_source *source, int64_t image,
                    const struct voc *voc, const struct voc_box *box, const char *path, struct error *err)
{
    const double w = box->x2 - box->x1, h = box->y2 - box->y1;
    const int class = find_name(source->class_names, source->class_count, box->name);
    struct annotation a = {
        .id = b->pending_count + 1,
        .box = { fmax(box->x1, 0), fmax(box->y1, 0), voc->width ? fmin(w, voc->width) : w,
                 voc->height ? fmin(h, voc->height) : h } };
    char at[512];
    snprintf(at, sizeof at, "%s:%d", path, box->line);
    a.area = a.box[2] * a.box[3];
    if (class < 0)
        dataset_note(&b->set, NOTE_UNKNOWN_CLASS, "%s: %s", at, box->name);
    else if (w < 0 || h < 0)
        dataset_note(&b->set, NOTE_DEGENERATE, "%s", at);
    else
        return build_annotation(b, &a, image, class + 1, at, err);
    return true;
}

/* The name that the annotations give, if there is such a file, else that of the image called as they are. */
static char *image_of(struct dataset_builder *b, const struct dataset_source *source, const char *stem,
                      struct voc *voc, struct error *err)
{
    char *path = *voc->file ? stem_path(source->img_path, voc->file, "", err) : NULL;
    char *file = NULL;
    int width, height;
    if (path && file_exists(path)) {
        file = stem_path("", voc->file, "", err);
        if ((!voc->width || !voc->height) && !picture_size(path, &voc->width, &voc->height, NULL))
            dataset_note(&b->set, NOTE_NO_IMAGE, "%s", path);
    } else if ((file = find_image(b, source, stem, &width, &height)) && (!voc->width || !voc->height)) {
        voc->width = width;
        voc->height = height;
    }
    free(path);
    return file ? file : stem_path("", *voc->file ? voc->file : stem, "", err);
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    struct bytes text = {0};
    struct voc voc = {0};
    char *path = stem_path(source->ann_path, stem, ".xml", err), *file = NULL;
    bool ok = path && file_read(&text, path, err) && voc_parse(&voc, text, path, err)
           && (file = image_of(b, source, stem, &voc, err))
           && build_image(b, id, file, voc.width, voc.height, err);
    for (int i = 0; ok && i < voc.count; i++)
        ok = add_box(b, source, id, &voc, &voc.boxes[i], path, err);
    free(file);
    voc_free(&voc);
    bytes_free(&text);
    free(path);
    return ok;
}

static const char *const suffix[] = { ".xml", NULL };

bool voc_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    return build_classes(b, source->class_names, source->class_count, err)
        && each_stem(b, source, source->ann_path, suffix, read_image, err);
}

/* The categories of b become the classes met so far. */
static bool collect_classes(struct dataset_builder *b, const struct dataset_source *source, int64_t id,
                            const char *stem, struct error *err)
{
    struct bytes text = {0};
    struct voc voc = {0};
    char *path = stem_path(source->ann_path, stem, ".xml", err);
    bool ok = path && file_read(&text, path, err) && voc_parse(&voc, text, path, err);
    (void)id;
    for (int i = 0; ok && i < voc.count; i++) {
        bool known = false;
        for (int j = 0; j < b->set.category_count; j++)
            known |= strcmp(b->set.categories[j].name, voc.boxes[i].name) == 0;
        ok = known || build_category(b, b->set.category_count + 1, voc.boxes[i].name, err);
    }
    voc_free(&voc);
    bytes_free(&text);
    free(path);
    return ok;
}

bool voc_classes(struct names *classes, const char *folder, struct error *err)
{
    const struct dataset_source source = { .img_path = folder, .ann_path = folder };
    struct dataset_builder b = {0};
    bool ok = each_stem(&b, &source, folder, suffix, collect_classes, err);
    *classes = (struct names){0};
    for (int i = 0; ok && i < b.set.category_count; i++)
        ok = names_add(classes, b.set.categories[i].name, err);
    build_free(&b);
    if (!ok)
        names_free(classes);
    else
        names_sort(classes);
    return ok;
}
