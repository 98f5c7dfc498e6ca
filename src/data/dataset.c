#include "data/dataset.h"

#include <inttypes.h>
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
        names_free(&set->notes[i].first);
    names_free(&set->problems.first);
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
    else
        snprintf(out, size, "%s annotation %" PRId64, file, a->id);
}

bool annotation_trains(const struct annotation *a)
{
    return a->area > 0 && a->box[2] >= 1 && a->box[3] >= 1;
}

void dataset_note(struct dataset *set, enum note_kind kind, const char *format, ...)
{
    struct dataset_note *note = &set->notes[kind];
    char place[256];
    va_list args;
    note->count++;
    if (note->first.count == PLACES)
        return;
    va_start(args, format);
    vsnprintf(place, sizeof place, format, args);
    va_end(args);
    names_add(&note->first, place, NULL);
}

void dataset_measure(struct dataset *set, int index, int width, int height, bool complete)
{
    struct image *image = &set->images[index];
    if (image->width && image->height && (image->width != width || image->height != height))
        dataset_note(set, NOTE_SIZE, "%s is %d x %d, annotated as %d x %d", image->file, width, height, image->width,
                     image->height);
    if (!complete)
        dataset_note(set, NOTE_TRUNCATED, "%s", image->file);
    image->width = width;
    image->height = height;
}

void dataset_notes_text(const struct dataset *set, struct text *text)
{
    static const char *const what[NOTE_KINDS] = {
        [NOTE_DEGENERATE]     = "degenerate boxes, not trained on",
        [NOTE_OUTSIDE]        = "boxes wholly or mostly outside of their image",
        [NOTE_BORDER]         = "boxes that reach over the border of their image",
        [NOTE_UNKNOWN_CLASS]  = "boxes left out, their class is not in class_names",
        [NOTE_NO_IMAGE]       = "annotated images missing or unreadable",
        [NOTE_NO_ANNOTATIONS] = "images without a file of annotations, taken as background",
        [NOTE_LEFT_OUT]       = "images left out, no annotation file is theirs",
        [NOTE_STRAY]          = "text files left out, they have no image and no row of a box",
        [NOTE_STALE_NAME]     = "files whose <filename> is another file's image, the image of their own name is used",
        [NOTE_SAME_IMAGE]     = "images listed more than once",
        [NOTE_SIZE]           = "images of another size than annotated, the size of the image is used",
        [NOTE_TRUNCATED]      = "truncated images, read as far as they go",
        [NOTE_ENCODING]       = "texts that are not UTF-8, read as Windows-1252",
        [NOTE_SHARED_ID]      = "annotations with the id of another",
        [NOTE_CLASS_ORDER]    = "classes assigned by order, since no category has the name of a class",
        [NOTE_UNUSED_CATEGORY] = "categories without boxes left out, class_names does not have them",
        [NOTE_CLASS_LIST]     = "lists of classes beside the annotations have other names than class_names",
        [NOTE_ABSENT_CLASS]   = "classes that the annotations do not have",
    };
    for (int i = 0; i < NOTE_KINDS; i++) {
        const struct dataset_note *note = &set->notes[i];
        if (note->count == 0)
            continue;
        text_add(text, "%d %s: ", note->count, what[i]);
        for (int j = 0; j < note->first.count; j++)
            text_add(text, "%s%s", j ? ", " : "", note->first.list[j]);
        text_add(text, "%s\n", note->count > note->first.count ? ", ..." : "");
    }
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
    names_add(&set->problems.first, line, NULL);
}

bool dataset_sound(const struct dataset *set, const char *path, struct error *err)
{
    const struct dataset_problems *problems = &set->problems;
    struct text list = {0};
    if (problems->count == 0)
        return true;
    if (problems->count == 1 && problems->first.count == 1)
        return fail(err, "%s", problems->first.list[0]);
    for (int i = 0; i < problems->first.count && i < PROBLEMS_NAMED; i++)
        text_add(&list, "%s%s", i ? "; " : "", problems->first.list[i]);
    fail(err, "%s: %d broken records: %s%s", path, problems->count, list.s ? list.s : "",
         problems->count > PROBLEMS_NAMED ? "; ..." : "");
    text_free(&list);
    return false;
}
