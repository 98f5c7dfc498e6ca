#include "data/dataset_read.h"

#include "base/table.h"
#include "base/text_file.h"
#include "data/coco.h"
#include "data/dataset_builder.h"
#include "data/visdrone.h"
#include "data/voc.h"
#include "data/yolo.h"
#include <stdlib.h>
#include <string.h>

static const struct reader {
    bool (*read)(struct dataset_builder *, const struct dataset_source *, struct error *);
    bool wants_images, wants_classes;
} readers[] = {
    [DATASET_COCO]     = { coco_read, false, false },
    [DATASET_XML]      = { voc_read, true, true },
    [DATASET_YOLO]     = { yolo_read, true, true },
    [DATASET_VISDRONE] = { visdrone_read, false, false },
};

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

struct dataset_source dataset_source_of(const struct data_config *config)
{
    return (struct dataset_source){
        .format = config->name, .img_path = given(config->img_path), .ann_path = given(config->ann_path),
        .image_list = given(config->image_list),
        .class_names = config->class_names.at, .class_count = config->class_names.count };
}

/* A failure that ends reading early is one more problem, and leaves annotations whose image was not met. */
static bool read_all(const struct reader *reader, struct dataset_builder *b, const struct dataset_source *source,
                     struct dataset *out, struct error *err)
{
    struct error why = {0};
    if (!reader->read(b, source, &why)) {
        if (why.exit == 2)
            return misuse(err, "%s", why.text);
        dataset_problem(&b->set, "%s", why.text);
        b->images_lost = b->categories_lost = true;
    }
    return build_end(b, out, source->ann_path, err);
}

bool dataset_read(struct dataset *out, const struct dataset_source *source, struct error *err)
{
    const struct reader *reader = &readers[source->format];
    struct dataset_builder b = {0};
    *out = (struct dataset){0};
    if (!source->ann_path)
        return misuse(err, "a dataset needs ann_path");
    if (reader->wants_images && !source->img_path)
        return misuse(err, "%s: this kind of dataset needs img_path, too", source->ann_path);
    if (reader->wants_classes && source->class_count == 0)
        return misuse(err, "%s: this kind of dataset needs class_names, too", source->ann_path);
    const bool ok = read_all(reader, &b, source, out, err);
    build_free(&b);
    return ok;
}

static bool visdrone_folder(struct dataset *out, const char *folder, struct error *err)
{
    char *images = path_join(folder, "images", err), *boxes = path_join(folder, "annotations", err);
    const struct dataset_source source = { .format = DATASET_VISDRONE, .img_path = images, .ann_path = boxes };
    const bool ok = images && boxes && dataset_read(out, &source, err);
    free(boxes);
    free(images);
    return ok;
}

static bool read_with_classes(struct dataset *out, enum dataset_format format, const char *images, const char *boxes,
                              const struct names *classes, struct error *err)
{
    const struct dataset_source source = {
        .format = format, .img_path = images, .ann_path = boxes,
        .class_names = (const char *const *)classes->list, .class_count = classes->count };
    return dataset_read(out, &source, err);
}

static bool voc_folder(struct dataset *out, const char *folder, struct error *err)
{
    char *images = path_join(folder, "JPEGImages", err), *boxes = path_join(folder, "Annotations", err);
    struct names classes = {0};
    const bool ok = images && boxes && voc_classes(&classes, boxes, err)
                 && (classes.count || fail(err, "%s: there is no object in it", boxes))
                 && read_with_classes(out, DATASET_XML, images, boxes, &classes, err);
    names_free(&classes);
    free(boxes);
    free(images);
    return ok;
}

static bool yolo_folder(struct dataset *out, const char *folder, struct error *err)
{
    static const char *const lists[] = { "classes.txt", "obj.names", "labels/classes.txt" };
    char *images = path_join(folder, "images", err), *boxes = path_join(folder, "labels", err), *list = NULL;
    struct names classes = {0};
    for (size_t i = 0; i < sizeof lists / sizeof *lists && (!list || !file_exists(list)); i++) {
        free(list);
        list = path_join(folder, lists[i], err);
    }
    const bool ok = images && boxes && list && text_lines(&classes, list, err)
                 && (classes.count || fail(err, "%s: names no class", list))
                 && read_with_classes(out, DATASET_YOLO, folder_exists(images) ? images : folder,
                                      folder_exists(boxes) ? boxes : folder, &classes, err);
    names_free(&classes);
    free(list);
    free(boxes);
    free(images);
    return ok;
}

static const struct layout {
    const char *name;
    bool (*read)(struct dataset *, const char *folder, struct error *);
} layouts[] = {
    { "visdrone", visdrone_folder },
    { "voc",      voc_folder },
    { "yolo",     yolo_folder },
    {0} };

bool dataset_read_folder(struct dataset *out, const char *format, const char *folder, struct error *err)
{
    const struct layout *layout = find_row(format, layouts, sizeof *layouts);
    *out = (struct dataset){0};
    if (!layout)
        return misuse(err, "%s: no such format; did you mean %s?", format,
                      nearest_name(format, layouts, sizeof *layouts));
    return layout->read(out, folder, err);
}
