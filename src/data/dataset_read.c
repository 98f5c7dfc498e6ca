#include "data/dataset_read.h"

#include "base/path.h"
#include "data/dataset_builder.h"
#include "data/readers.h"

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

/* ann_path is a file or a folder as the format needs; a missing one fails later. */
static bool is_of_format(const struct dataset_source *source, struct error *err)
{
    const bool coco = source->format == DATASET_COCO;
    const enum path_kind kind = path_kind(source->ann_path, err);
    if (coco && kind == PATH_FOLDER)
        return fail(err, "%s: is a folder, but CocoDataset needs a JSON file: is another name of dataset meant, "
                    "such as XMLDataset or YoloDataset?", source->ann_path);
    if (!coco && kind == PATH_FILE)
        return fail(err, "%s: is a file, but this name of dataset needs a folder of annotations: is CocoDataset meant?",
                    source->ann_path);
    return kind != PATH_ERROR;
}

/* A failure that ends reading early is one more problem, and leaves annotations whose image was not met. */
static bool read_all(const struct annotation_reader *reader, struct dataset_builder *b,
                     const struct dataset_source *source, struct dataset *out, struct error *err)
{
    struct error why = {0};
    if (!is_of_format(source, &why) || !reader->read(b, source, &why)) {
        if (why.exit == 2)
            return misuse(err, "%s", why.text);
        dataset_problem(&b->set, "%s", why.text);
        b->images_lost = b->categories_lost = true;
    }
    return build_end(b, out, source->ann_path, err);
}

bool dataset_read(struct dataset *out, const struct dataset_source *source, struct error *err)
{
    const struct annotation_reader *reader = &annotation_readers[source->format];
    struct dataset_builder b = {0};
    *out = (struct dataset){0};
    if (!source->ann_path)
        return misuse(err, "a dataset needs ann_path");
    if (reader->needs_images && !source->img_path)
        return misuse(err, "%s: this kind of dataset needs img_path, too", source->ann_path);
    if (reader->needs_classes && source->class_count == 0)
        return misuse(err, "%s: this kind of dataset needs class_names, too", source->ann_path);
    const bool ok = read_all(reader, &b, source, out, err);
    build_free(&b);
    return ok;
}
