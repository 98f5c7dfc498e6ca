/* tests/fuzz/fuzz_check.c -- a whole set for `nanodet check`.  The first byte chooses one of four formats; an
 * annotation file follows and, behind the first 0 byte, an image that it may name as a.jpg.  The set is read,
 * validated and summarised. */
#include "base/strbuf.h"
#include "base/string_list.h"
#include "config_text.h"
#include "data/dataset_read.h"
#include "data/validate.h"
#include "scratch.h"
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct { enum dataset_format format; const char *file; } formats[] = {
    { DATASET_COCO, "ann.json" }, { DATASET_XML, "ann/a.xml" }, { DATASET_YOLO, "ann/a.txt" },
    { DATASET_VISDRONE, "ann/a.txt" } };

static void judge(struct dataset *set, struct config *c, const char *annotations)
{
    struct strings names = c->class_names;
    struct strbuf summary = {0};
    struct string_list notes = {0};
    struct error err = {0};
    int *label = calloc((size_t)set->category_count + 1, sizeof *label);
    const bool matched = label && dataset_labels(set, names.at, names.count, label, &err);
    for (int decode = 0; decode < 2; decode++) {
        const struct validation v = { .use = decode ? USE_SCORING : USE_TRAINING, .path = annotations,
                                      .label = matched ? label : NULL, .config = &c->train, .decode = decode,
                                      .threads = 1 };
        dataset_validate(set, &v, &err);
    }
    dataset_note_shared(set, c->train.img_path, set, c->train.img_path, &err);
    if (matched)
        dataset_summary(set, "data.train", &c->train, label, &names, &summary);
    dataset_notes(set, "data.train", &notes, &err);
    strbuf_free(&summary);
    string_list_free(&notes);
    free(label);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const int kind = data[0] % 4;
    const uint8_t *end = memchr(data + 1, 0, size - 1), *rest = end ? end + 1 : data + size;
    struct config c = {0};
    struct dataset set = {0};
    struct error err = {0};
    scratch_file("start", "", 0);                       /* makes the folder */
    mkdir(in_folder("ann"), 0700);
    mkdir(in_folder("img"), 0700);
    remove(in_folder("ann/a.xml"));
    remove(in_folder("ann/a.txt"));
    if (!scratch_file(formats[kind].file, data + 1, (size_t)((end ? end : data + size) - data - 1))
        || !scratch_file("img/a.jpg", rest, (size_t)(data + size - rest))
        || !config_parse(&c, config_yaml, sizeof config_yaml - 1, "base", NULL, 0, &err))
        abort();
    char annotations[300], images[300];
    snprintf(annotations, sizeof annotations, "%s", in_folder(kind ? "ann" : "ann.json"));
    snprintf(images, sizeof images, "%s", in_folder("img"));
    c.train.name = formats[kind].format;
    c.train.ann_path = annotations;
    c.train.img_path = images;
    const struct dataset_source source = dataset_source_of(&c.train);
    dataset_read(&set, &source, &err);
    judge(&set, &c, annotations);
    dataset_free(&set);
    config_free(&c);
    return 0;
}
