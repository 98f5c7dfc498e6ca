/* data/dataset.h -- images, categories and boxes, whatever format they were read from. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H
#include "base/error.h"
#include "base/string_list.h"
#include <stddef.h>
#include <stdint.h>

struct category { int64_t id; char *name; };

struct image_record {
    int64_t id;
    char *file;                 /* relative to the folder of images; "" where the annotations name none */
    int width, height;          /* XML, YOLO and VisDrone: of the decoded, upright image where it can be read; else as
                                 * the annotations say, 0 where they do not */
    int first, count;           /* its annotations: dataset.annotations[first .. first+count-1] */
    int unscaled;               /* YOLO: boxes left out because the size of the image is unknown */
};

struct annotation {
    int64_t id;
    int image;                  /* index into images */
    int category;               /* index into categories */
    double box[4];              /* x, y, width, height in pixels of the image; within +-BOX_LIMIT */
    double area;                /* the file's field, or width x height */
    bool crowd;                 /* "iscrowd": evaluated as a crowd box */
    bool ignore;                /* "ignore" or crowd: an ignore box in training */
    int line, shape;            /* place in the annotation file of its image; both 0 in COCO, where the id tells it */
};
enum { BOX_LIMIT = 1000000000 };

/* Facts that are not errors but that a user should hear of: per kind a count and the first few places. */
enum note_kind {
    NOTE_DEGENERATE, NOTE_OUTSIDE, NOTE_BORDER, NOTE_UNKNOWN_CLASS, NOTE_NO_IMAGE, NOTE_NO_ANNOTATIONS, NOTE_LEFT_OUT,
    NOTE_STRAY, NOTE_POLYGON, NOTE_OTHER_SHAPE, NOTE_STALE_NAME, NOTE_SAME_IMAGE, NOTE_SIZE, NOTE_TRUNCATED,
    NOTE_ENCODING, NOTE_SHARED_ID,
    NOTE_CLASS_ORDER, NOTE_UNUSED_CATEGORY, NOTE_ABSENT_CLASS, NOTE_CLASS_LIST, NOTE_SMALL, NOTE_DUPLICATE,
    NOTE_BOTH_SETS, NOTE_KINDS
};
struct dataset_note { int count; struct string_list first; };

/* Records that cannot be used: how many, and a line for each of the first, with its file and its line, record number
 * or byte: "ann.json:1: annotation 6 (id 6): bbox is missing".  A dataset with problems is used by no command;
 * validation (data/validate.h) adds its own. */
struct dataset_problems { int count; struct string_list first; };

/* Images in ascending id, categories in ascending id, annotations grouped by image, in file order within one. */
struct dataset {
    struct image_record *images;           int image_count;
    struct category *categories;    int category_count;
    struct annotation *annotations; int annotation_count;
    struct dataset_note notes[NOTE_KINDS];
    struct dataset_problems problems;
};

void dataset_free(struct dataset *);
int dataset_category(const struct dataset *, int64_t id);       /* index, or -1 */
int dataset_image(const struct dataset *, int64_t id);          /* index, or -1 */

/* For messages: "0001.jpg line 3", "0001.jpg shape 2" or "0001.jpg annotation 12". */
void annotation_place(const struct dataset *, const struct annotation *, char *out, size_t size);

/* True if a box is trained on: area above 0, width and height at least 1.  The others count in evaluation only. */
bool annotation_trains(const struct annotation *);

/* Compares names of classes as strcmp does; ' ', '_' and '-' are equal: "traffic light" is "traffic_light". */
int class_name_compare(const char *, const char *);
int class_find(const char *const *class_names, int count, const char *name);    /* an equal text first; -1: none */
const char *class_nearest(const char *const *class_names, int count, const char *name);     /* count >= 1 */

/* One of VisDrone's `ignored regions` (id 0) and `others` (id 11). */
bool category_is_no_class(const struct category *);

/* label[category_count]: the class of the model that each category is, 0 .. count-1, or -1.  Categories and classes
 * are matched by name, whatever their order:
 *   a category without boxes that class_names does not have is not a class (a note)
 *   a category with boxes that class_names does not have is an error
 *   a class that no category has is noted
 *   VisDrone's `ignored regions` (id 0) and `others` (id 11) are not classes unless class_names has them
 * If not one name matches, the i-th category in ascending id is class i, as in the original, with a note; if the
 * numbers then differ it is an error.  Errors are misuse(). */
bool dataset_labels(struct dataset *, const char *const *class_names, int count, int *label, struct error *);

/* The reverse: category[count], the index of the category of each class.  A class that the annotations do not have
 * gets a category of its own, without boxes, after the others. */
bool dataset_classes(struct dataset *, const char *const *class_names, int count, int *category, struct error *);

/* Adds to a note; the place is formatted as by printf.  It cannot fail: without memory the place is not kept. */
void dataset_note(struct dataset *, enum note_kind, const char *format, ...) PRINTF_LIKE(3, 4);
bool dataset_note_full(const struct dataset *, enum note_kind);     /* further places are counted, not kept */
void dataset_note_box(struct dataset *, enum note_kind, const struct annotation *);     /* its place */
void dataset_forget_note(struct dataset *, enum note_kind);

/* Cuts a box at the border of its image; returns by how many pixels it reached over. */
double box_cut(double box[4], double width, double height);

/* Notes a box that reaches over the border of its image, or lies mostly outside; nothing if the size is not known. */
void dataset_note_border(struct dataset *, const struct annotation *);

/* Takes the size that an image has when it is decoded, and notes it if the annotations say otherwise or if the file is
 * not complete. */
void dataset_measure(struct dataset *, int image, int width, int height, bool complete);

/* fail() if boxes of an image were left out because its size is unknown: for callers that need all boxes. */
bool dataset_scaled(const struct dataset *, struct error *);

/* Adds a line per kind of note, such as "section: 2 degenerate boxes, not trained on: a.xml:12, b.xml:48".  Lines about
 * facts that spoil a training or a score begin with "WARNING: ".  section "" is left out. */
bool dataset_notes(const struct dataset *, const char *section, struct string_list *lines, struct error *);

/* Adds a problem, formatted as by printf.  A reader calls it and continues with the next record. */
void dataset_problem(struct dataset *, const char *format, ...) PRINTF_LIKE(2, 3);

/* fail() if there is a problem: the text of the only one, or path, their number and the first of them. */
bool dataset_sound(const struct dataset *, const char *path, struct error *);
#endif
