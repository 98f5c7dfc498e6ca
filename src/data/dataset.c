#include "data/dataset.h"

#include "base/escape.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 8, PROBLEMS = 20, PROBLEMS_NAMED = 3 };     /* kept per note, per dataset; named in an error */

void dataset_free(struct dataset *set)
{
    for (int i = 0; i < set->image_count; i++)
        free(set->images[i].file);
    for (int i = 0; i < set->category_count; i++)
        free(set->categories[i].name);
    for (int i = 0; i < NOTE_KINDS; i++)
        string_list_free(&set->notes[i].first);
    string_list_free(&set->problems.first);
    free(set->images);
    free(set->categories);
    free(set->annotations);
    *set = (struct dataset){0};
}

/* The row with that id of count rows in ascending order of an id that each begins with. */
static int find_id(const void *rows, int count, size_t row_size, int64_t id)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        int64_t have;
        memcpy(&have, (const char *)rows + (size_t)middle * row_size, sizeof have);
        if (have == id)
            return middle;
        if (have < id)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int dataset_category(const struct dataset *set, int64_t id)
{
    return find_id(set->categories, set->category_count, sizeof *set->categories, id);
}

int dataset_image(const struct dataset *set, int64_t id)
{
    return find_id(set->images, set->image_count, sizeof *set->images, id);
}

void annotation_place(const struct dataset *set, const struct annotation *a, char *out, size_t size)
{
    const char *file = set->images[a->image].file;
    if (a->line)
        snprintf(out, size, "%s line %d", file, a->line);
    else if (a->shape)
        snprintf(out, size, "%s shape %d", file, a->shape);
    else
        snprintf(out, size, "%s annotation %" PRId64, file, a->id);
}

bool annotation_trains(const struct annotation *a)
{
    return a->area > 0 && a->box[2] >= 1 && a->box[3] >= 1;
}

/* Keeps the text of a note or a problem; names in it come from files. */
static void keep(struct string_list *list, const char *text)
{
    char shown[sizeof ((struct error *)0)->text];
    escape_text(shown, sizeof shown, text);
    string_list_add(list, shown, NULL);
}

void dataset_note(struct dataset *set, enum note_kind kind, const char *format, ...)
{
    struct dataset_note *note = &set->notes[kind];
    char place[256];
    va_list args;
    note->count++;
    if (dataset_note_full(set, kind))
        return;
    va_start(args, format);
    vsnprintf(place, sizeof place, format, args);
    va_end(args);
    keep(&note->first, place);
}

bool dataset_note_full(const struct dataset *set, enum note_kind kind)
{
    return set->notes[kind].first.count == PLACES;
}

/* Cuts box[axis] and its size to 0 .. side; returns by how much it was over. */
static double cut_axis(double *box, int axis, double side)
{
    const double low = box[axis], high = low + box[axis + 2];
    const double over = fmax(-low, high - side);
    if (over > 0) {
        box[axis] = fmin(fmax(low, 0), side);
        box[axis + 2] = fmin(fmax(high, 0), side) - box[axis];
    }
    return over;
}

double box_cut(double box[4], double width, double height)
{
    const double over = cut_axis(box, 0, width);
    return fmax(over, cut_axis(box, 1, height));
}

void dataset_note_border(struct dataset *set, const struct annotation *a)
{
    enum { MUCH = 1 };                                  /* pixels; fewer come of rounding */
    const struct image_record *image = &set->images[a->image];
    double box[4];
    if (!image->width || !image->height)
        return;
    memcpy(box, a->box, sizeof box);
    const double over = box_cut(box, image->width, image->height);
    if (a->box[2] > 0 && a->box[3] > 0 && box[2] * box[3] < 0.5 * a->box[2] * a->box[3])
        dataset_note_box(set, NOTE_OUTSIDE, a);
    else if (over > MUCH)
        dataset_note_box(set, NOTE_BORDER, a);
}

void dataset_measure(struct dataset *set, int index, int width, int height, bool complete)
{
    struct image_record *image = &set->images[index];
    if (image->width && image->height && (image->width != width || image->height != height))
        dataset_note(set, NOTE_SIZE, "%s is %d x %d, annotated as %d x %d", image->file, width, height, image->width,
                     image->height);
    if (!complete)
        dataset_note(set, NOTE_TRUNCATED, "%s", image->file);
    image->width = width;
    image->height = height;
}

void dataset_note_box(struct dataset *set, enum note_kind kind, const struct annotation *a)
{
    char place[256];
    annotation_place(set, a, place, sizeof place);
    dataset_note(set, kind, "%s", place);
}

void dataset_forget_note(struct dataset *set, enum note_kind kind)
{
    string_list_free(&set->notes[kind].first);
    set->notes[kind] = (struct dataset_note){0};
}

bool dataset_notes(const struct dataset *set, const char *section, struct string_list *lines, struct error *err)
{
    static const struct { bool warning; const char *what; } kinds[NOTE_KINDS] = {
        [NOTE_DEGENERATE]      = { false, "degenerate boxes, not trained on" },
        [NOTE_OUTSIDE]         = { true,  "boxes wholly or mostly outside of their image" },
        [NOTE_BORDER]          = { false, "boxes that reach over the border of their image" },
        [NOTE_UNKNOWN_CLASS]   = { true,  "boxes left out, their class is not in class_names" },
        [NOTE_NO_IMAGE]        = { true,  "images missing or unreadable" },
        [NOTE_NO_ANNOTATIONS]  = { false, "images without a file of annotations, taken as background" },
        [NOTE_LEFT_OUT]        = { false, "images left out, no annotation file is theirs" },
        [NOTE_STRAY]           = { false, "text files left out, they have no image and no row of a box" },
        [NOTE_POLYGON]         = { true,  "polygons, the boxes around them are used" },
        [NOTE_OTHER_SHAPE]     = { true,  "shapes left out, they are neither rectangle nor polygon" },
        [NOTE_STALE_NAME]      = { true,  "files that name another file's image, the image of their own name is used" },
        [NOTE_SAME_IMAGE]      = { true,  "images listed more than once" },
        [NOTE_SIZE]            = { false, "images of another size than annotated, the size of the image is used" },
        [NOTE_TRUNCATED]       = { false, "truncated images, read as far as they go" },
        [NOTE_ENCODING]        = { false, "texts that are not UTF-8, read as Windows-1252" },
        [NOTE_SHARED_ID]       = { false, "annotations with the id of another" },
        [NOTE_CLASS_ORDER]     = { true,  "classes assigned by order, since no category has the name of a class" },
        [NOTE_UNUSED_CATEGORY] = { false, "categories without boxes left out, class_names does not have them" },
        [NOTE_CLASS_LIST]      = { true,  "lists of classes beside the annotations have other names than class_names" },
        [NOTE_ABSENT_CLASS]    = { false, "classes that the annotations do not have" },
        [NOTE_SMALL]           = { false, "boxes with a side below 2 pixels at the input size" },
        [NOTE_DUPLICATE]       = { false, "boxes equal to another of the same image and class" },
        [NOTE_BOTH_SETS]       = { true,  "images that data.val has, too" },
    };
    bool ok = true;
    for (int i = 0; ok && i < NOTE_KINDS; i++) {
        const struct dataset_note *note = &set->notes[i];
        struct strbuf line = {0};
        if (note->count == 0)
            continue;
        strbuf_addf(&line, "%s%s%s%d %s: ", kinds[i].warning ? "WARNING: " : "", section, *section ? ": " : "",
                    note->count, kinds[i].what);
        for (int j = 0; j < note->first.count; j++)
            strbuf_addf(&line, "%s%s", j ? ", " : "", note->first.list[j]);
        strbuf_addf(&line, "%s", note->count > note->first.count ? ", ..." : "");
        ok = strbuf_check(&line, err) && string_list_add(lines, line.s, err);
        strbuf_free(&line);
    }
    return ok;
}

bool dataset_scaled(const struct dataset *set, struct error *err)
{
    for (int i = 0; i < set->image_count; i++)
        if (set->images[i].unscaled)
            return fail(err, "%s: the image is missing or cannot be read, so its %d box%s cannot be scaled",
                        set->images[i].file, set->images[i].unscaled, set->images[i].unscaled == 1 ? "" : "es");
    return true;
}

void dataset_problem(struct dataset *set, const char *format, ...)
{
    char line[sizeof ((struct error *)0)->text];
    va_list args;
    if (set->problems.count++ >= PROBLEMS)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    keep(&set->problems.first, line);
}

bool dataset_sound(const struct dataset *set, const char *path, struct error *err)
{
    const struct dataset_problems *problems = &set->problems;
    struct strbuf list = {0};
    if (problems->count == 0)
        return true;
    if (problems->count == 1 && problems->first.count == 1)
        return fail(err, "%s", problems->first.list[0]);
    for (int i = 0; i < problems->first.count && i < PROBLEMS_NAMED; i++)
        strbuf_addf(&list, "%s%s", i ? "; " : "", problems->first.list[i]);
    fail(err, "%s: %d problems: %s%s", path, problems->count, list.s ? list.s : "",
         problems->count > PROBLEMS_NAMED ? "; ..." : "");
    strbuf_free(&list);
    return false;
}
