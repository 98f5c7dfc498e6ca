/* data/dataset.h -- images, categories and boxes, whatever format they were read from. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H
#include "base/error.h"
#include "base/file.h"
#include <stdint.h>

struct category { int64_t id; char *name; };

struct image {
    int64_t id;
    char *file;                 /* relative to the folder of images; "" where the annotations name none */
    int width, height;          /* as the annotations say; 0 where they do not */
    int first, count;           /* its annotations: dataset.annotations[first .. first+count-1] */
};

struct annotation {
    int64_t id;
    int image;                  /* index into images */
    int category;               /* index into categories */
    double box[4];              /* x, y, width, height in pixels of the image; within +-BOX_LIMIT */
    double area;                /* the file's field, or width x height */
    bool crowd;                 /* "iscrowd": evaluated as a crowd box */
    bool ignore;                /* "ignore" or crowd: an ignore box in training */
};
enum { BOX_LIMIT = 1000000000 };

/* What a reader met that is no error but that a user should hear of: a count and the first few places a kind. */
enum note_kind {
    NOTE_DEGENERATE, NOTE_UNKNOWN_CLASS, NOTE_NO_IMAGE, NOTE_NO_ANNOTATIONS, NOTE_SHARED_ID, NOTE_CLASS_ORDER,
    NOTE_UNUSED_CATEGORY, NOTE_ABSENT_CLASS, NOTE_CLASS_LIST,
    NOTE_KINDS
};
struct dataset_note { int count; struct names first; };

/* Images in ascending id, categories in ascending id, annotations grouped by image, in file order within one. */
struct dataset {
    struct image *images;           int image_count;
    struct category *categories;    int category_count;
    struct annotation *annotations; int annotation_count;
    struct dataset_note notes[NOTE_KINDS];
};

void dataset_free(struct dataset *);
int dataset_category(const struct dataset *, int64_t id);       /* index, or -1 */
int dataset_image(const struct dataset *, int64_t id);          /* index, or -1 */

/* Whether a box is trained on: area above 0, width and height at least 1.  The others count in evaluation only. */
bool annotation_trains(const struct annotation *);

/* Compares names of classes as strcmp does; ' ', '_' and '-' are equal: "traffic light" is "traffic_light". */
int class_name_compare(const char *, const char *);
int class_find(const char *const *class_names, int count, const char *name);    /* an equal text first; -1: none */

/* One of VisDrone's `ignored regions` (id 0) and `others` (id 11). */
bool category_is_no_class(const struct category *);

/* label[category_count]: the class of the model that each category is, 0 .. count-1, or -1.  Categories and classes
 * are matched by name, whatever their order:
 *   a category without boxes that class_names does not have is no class (a note)
 *   a category with boxes that class_names does not have is an error
 *   a class that no category has is noted
 *   VisDrone's `ignored regions` (id 0) and `others` (id 11) are no class unless class_names has them
 * If not one name matches, the i-th category in ascending id is class i, as in the original, with a note; if the
 * numbers then differ it is an error.  Errors are misuse(). */
bool dataset_labels(struct dataset *, const char *const *class_names, int count, int *label, struct error *);

/* The reverse: category[count], the index of the category of each class.  A class that the annotations do not have
 * gets a category of its own, without boxes, after the others. */
bool dataset_classes(struct dataset *, const char *const *class_names, int count, int *category, struct error *);

/* Adds to a note; the place is formatted as by printf.  It cannot fail: without memory the place is not kept. */
void dataset_note(struct dataset *, enum note_kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* A line a kind that was met: "2 degenerate boxes, not trained on: a.xml:12, b.xml:48\n". */
void dataset_notes_text(const struct dataset *, struct text *);
#endif
