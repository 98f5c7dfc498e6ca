#include "data/validate.h"

#include "base/escape.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/sort.h"
#include "base/strbuf.h"
#include "base/team.h"
#include "data/image.h"
#include "data/tiles.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- images ---- */

/* content: as in struct error; why: the error, owned, NULL if ok or if memory was short. */
struct checked_image { struct image_probe probe; bool ok, content; char *why; };
struct image_check { const struct dataset *set; const struct validation *v; struct checked_image *images; };

static bool measure_file(const char *path, bool decode, struct image_probe *probe, struct error *err)
{
    struct image image = {0};
    if (!decode)
        return image_probe(path, probe, err);
    const bool ok = image_read(&image, path, err);
    *probe = (struct image_probe){ image.width, image.height, !image.truncated };
    image_free(&image);
    return ok;
}

static void check_image(const void *job, int i)
{
    const struct image_check *l = job;
    struct error why = {0};
    struct checked_image *image = &l->images[i];
    char *path = path_join(l->v->config->img_path, l->set->images[i].file, &why);
    image->ok = path && measure_file(path, l->v->decode, &image->probe, &why);
    image->content = why.content;
    image->why = image->ok ? NULL : new_text(why.text, NULL);
    free(path);
}

/* Also notes boxes at the border of an image whose size was unknown when they were read. */
static void measure(struct dataset *set, int i, struct image_probe probe)
{
    const struct image_record *image = &set->images[i];
    const bool had_size = image->width && image->height;
    dataset_measure(set, i, probe.width, probe.height, probe.complete);
    for (int k = 0; !had_size && k < image->count; k++)
        dataset_note_border(set, &set->annotations[image->first + k]);
}

/* Records the result for image i.  Fails if the system failed: whether the image can be read is not known then. */
static bool record_check(struct dataset *set, const struct validation *v, int i, const struct checked_image *image,
                         struct error *err)
{
    if (image->ok)
        measure(set, i, image->probe);
    else if (!image->why)
        return fail(err, "%s: out of memory", set->images[i].file);
    else if (!image->content)
        return fail(err, "%s", image->why);
    else if (v->use == USE_SCORING)
        dataset_problem(set, "%s", image->why);
    else
        dataset_note(set, NOTE_NO_IMAGE, "%s", image->why);
    return true;
}

/* Sets the size of every image, and readable[images]. */
static bool read_images(struct dataset *set, const struct validation *v, bool *readable, struct error *err)
{
    struct image_check job = { set, v, new_array((size_t)set->image_count, sizeof *job.images, err) };
    if (!job.images)
        return false;
    team_for(&(struct team){ v->threads }, set->image_count, check_image, &job);
    dataset_forget_note(set, NOTE_NO_IMAGE);            /* the reader noted them; they are noted here once */
    bool ok = true;
    for (int i = 0; i < set->image_count; i++) {
        readable[i] = job.images[i].ok;
        ok = ok && record_check(set, v, i, &job.images[i], err);
        free(job.images[i].why);
    }
    free(job.images);
    return ok;
}

/* ---- boxes ---- */

void data_input_scale(const struct data_config *c, const struct image_record *image, double scale[2])
{
    const struct image_size whole = { image->width, image->height };
    const struct image_size tile = c->tiles.size.count ? tile_size(&c->tiles.size, c->input_size) : whole;
    const struct image_size seen = tile_covers(tile, whole) ? whole : tile;
    scale[0] = (double)c->input_size[0] / seen.width;
    scale[1] = (double)c->input_size[1] / seen.height;
    if (c->resize != RESIZE_STRETCH)
        scale[0] = scale[1] = fmin(scale[0], scale[1]);
}

static void note_small(struct dataset *set, const struct data_config *c)
{
    enum { SMALL = 2 };                                 /* pixels of a side at the input */
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        const struct image_record *image = &set->images[a->image];
        double scale[2];
        if (!image->width || !image->height || !annotation_trains(a) || a->ignore)
            continue;
        data_input_scale(c, image, scale);
        if (a->box[2] * scale[0] < SMALL || a->box[3] * scale[1] < SMALL)
            dataset_note_box(set, NOTE_SMALL, a);
    }
}

static int by_box(const void *p, const void *q)
{
    const struct annotation *a = *(const struct annotation *const *)p, *b = *(const struct annotation *const *)q;
    if (a->category != b->category)
        return a->category < b->category ? -1 : 1;
    for (int i = 0; i < 4; i++)
        if (a->box[i] != b->box[i])
            return a->box[i] < b->box[i] ? -1 : 1;
    return (a > b) - (a < b);                           /* the first one stands first */
}

static bool note_duplicates(struct dataset *set, struct error *err)
{
    const struct annotation **sorted = new_array((size_t)set->annotation_count, sizeof *sorted, err);
    if (!sorted)
        return false;
    for (int i = 0; i < set->image_count; i++) {
        const struct image_record *image = &set->images[i];
        for (int k = 0; k < image->count; k++)
            sorted[k] = &set->annotations[image->first + k];
        qsort(sorted, (size_t)image->count, sizeof *sorted, by_box);
        for (int k = 1; k < image->count; k++)
            if (sorted[k]->category == sorted[k - 1]->category
                && memcmp(sorted[k]->box, sorted[k - 1]->box, sizeof sorted[k]->box) == 0)
                dataset_note_box(set, NOTE_DUPLICATE, sorted[k]);
    }
    free(sorted);
    return true;
}

static bool is_class(const struct validation *v, const struct annotation *a)
{
    return !v->label || v->label[a->category] >= 0;
}

/* True if a box is one to learn from or to score: no detection overlaps a degenerate one. */
static bool is_wanted(const struct validation *v, const struct annotation *a)
{
    return is_class(v, a) && !a->ignore && annotation_trains(a);
}

static void add_reason(struct strbuf *text, int count, const char *reason, const struct dataset_note *note)
{
    if (count)
        strbuf_addf(text, "%s%d %s", text->s ? ", " : "", count, reason);
    if (count && note && note->first.count)
        strbuf_addf(text, " (%s)", note->first.list[0]);
}

/* Nothing can be learned or scored. */
static void no_box(struct dataset *set, const struct validation *v, int ignored, int unreadable)
{
    const struct dataset_note *degenerate = &set->notes[NOTE_DEGENERATE], *unknown = &set->notes[NOTE_UNKNOWN_CLASS];
    struct strbuf reasons = {0};
    add_reason(&reasons, degenerate->count, "degenerate", degenerate);
    add_reason(&reasons, unknown->count, "of a class that class_names does not have", unknown);
    add_reason(&reasons, ignored, "to be ignored", NULL);
    add_reason(&reasons, unreadable, "in images that cannot be read", &set->notes[NOTE_NO_IMAGE]);
    dataset_problem(set, "%s: no box to %s in %d images%s%s", v->path, v->use == USE_TRAINING ? "learn from" : "score",
                    set->image_count, reasons.s ? "; left out: " : "", reasons.s ? reasons.s : "");
    strbuf_free(&reasons);
}

static void check_boxes(struct dataset *set, const struct validation *v, const bool *readable)
{
    const struct dataset_note *outside = &set->notes[NOTE_OUTSIDE];
    int wanted = 0, ignored = 0, unreadable = 0;
    for (int i = 0; i < set->image_count; i++)
        unreadable += set->images[i].unscaled;
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        wanted += is_wanted(v, a) && readable[a->image];
        unreadable += is_wanted(v, a) && !readable[a->image];
        ignored += a->ignore;
    }
    if (2L * outside->count > set->annotation_count)
        dataset_problem(set, "%s: %d of %d boxes lie wholly or mostly outside of their images, such as %s: are their "
                        "numbers in the units and the order of the format?", v->path, outside->count,
                        set->annotation_count, outside->first.count ? outside->first.list[0] : "?");
    else if (wanted == 0)
        no_box(set, v, ignored, unreadable);
}

/* ---- checking ---- */

static bool check(struct dataset *set, const struct validation *v, bool *readable, struct error *err)
{
    for (int i = 0; i < set->image_count; i++)
        readable[i] = true;
    if (v->config && !read_images(set, v, readable, err))
        return false;
    if (v->config)
        note_small(set, v->config);
    if (!note_duplicates(set, err))
        return false;
    if (v->use != USE_CONVERSION && set->problems.count == 0)       /* a problem may have cost boxes */
        check_boxes(set, v, readable);
    return dataset_sound(set, v->path, err);
}

bool dataset_validate(struct dataset *set, const struct validation *v, struct error *err)
{
    if (set->image_count == 0 && set->problems.count == 0)
        dataset_problem(set, "%s: no images", v->path);
    if (set->image_count == 0)
        return dataset_sound(set, v->path, err);
    bool *readable = new_array((size_t)set->image_count, sizeof *readable, err);
    const bool ok = readable && check(set, v, readable, err);
    free(readable);
    return ok;
}

/* ---- images of two sets ---- */

struct file_key { int64_t size; const char *name; };

static int by_key(const void *p, const void *q)
{
    const struct file_key *a = p, *b = q;
    return a->size != b->size ? (a->size < b->size ? -1 : 1) : strcmp(a->name, b->name);
}

static enum path_kind key_of(struct file_key *key, const char *folder, const char *file, struct error *err)
{
    char *path = path_join(folder, file, err);
    *key = (struct file_key){ .name = path_name(file) };
    const enum path_kind kind = path ? path_kind_and_size(path, &key->size, err) : PATH_ERROR;
    free(path);
    return kind;
}

bool dataset_note_shared(struct dataset *training, const char *folder, const struct dataset *validation,
                         const char *validation_folder, struct error *err)
{
    struct file_key *keys = new_array((size_t)validation->image_count, sizeof *keys, err), key;
    enum path_kind kind = keys ? PATH_ABSENT : PATH_ERROR;
    size_t count = 0;
    for (int i = 0; kind && i < validation->image_count; i++) {
        kind = key_of(&keys[count], validation_folder, validation->images[i].file, err);
        count += kind == PATH_FILE;
    }
    if (kind)
        qsort(keys, count, sizeof *keys, by_key);
    for (int i = 0; kind && i < training->image_count; i++) {
        kind = key_of(&key, folder, training->images[i].file, err);
        if (kind == PATH_FILE && bsearch(&key, keys, count, sizeof *keys, by_key))
            dataset_note(training, NOTE_BOTH_SETS, "%s", training->images[i].file);
    }
    free(keys);
    return kind != PATH_ERROR;
}

/* ---- the digest ---- */

static uint64_t hash_text(uint64_t hash, const char *text) { return hash_bytes(hash, text, strlen(text) + 1); }

static uint64_t hash_number(uint64_t hash, double v) { return hash_bytes(hash, &v, sizeof v); }

bool dataset_digest(uint64_t *digest, const struct dataset *set, const char *folder, struct error *err)
{
    uint64_t hash = HASH_START;
    for (int i = 0; i < set->category_count; i++)
        hash = hash_text(hash, set->categories[i].name);
    for (int i = 0; i < set->image_count; i++) {
        const struct image_record *image = &set->images[i];
        struct file_key key;
        if (!key_of(&key, folder, image->file, err))
            return false;
        hash = hash_text(hash, image->file);
        hash = hash_number(hash_number(hash_number(hash, image->width), image->height), (double)key.size);
    }
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        hash = hash_number(hash_number(hash_number(hash, a->image), a->category), 2 * a->crowd + a->ignore);
        hash = hash_number(hash_bytes(hash, a->box, sizeof a->box), a->area);
    }
    *digest = hash;
    return true;
}

/* ---- summary ---- */

/* The root of the area of each box at the input, sorted; how many. */
static int sizes_at_input(const struct dataset *set, const struct data_config *c, const int *label, double *sizes)
{
    int count = 0;
    for (int i = 0; i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        const struct image_record *image = &set->images[a->image];
        double scale[2];
        if (label[a->category] < 0 || a->ignore || !annotation_trains(a) || !image->width || !image->height)
            continue;
        data_input_scale(c, image, scale);
        sizes[count++] = sqrt(a->box[2] * scale[0] * a->box[3] * scale[1]);
    }
    sort_doubles(sizes, count);
    return count;
}

void dataset_summary(const struct dataset *set, const char *section, const struct data_config *c, const int *label,
                     const struct strings *class_names, struct strbuf *text)
{
    enum { CLASSES = 20 };                              /* named at most */
    double *sizes = new_array((size_t)set->annotation_count, sizeof *sizes, NULL);
    int *boxes = new_array((size_t)class_names->count, sizeof *boxes, NULL), without = 0, ignored = 0;
    text->failed |= !sizes || !boxes;
    for (int i = 0; i < set->image_count; i++)
        without += set->images[i].count == 0 && set->images[i].unscaled == 0;
    for (int i = 0; boxes && i < set->annotation_count; i++) {
        const struct annotation *a = &set->annotations[i];
        ignored += a->ignore;
        if (label[a->category] >= 0 && !a->ignore)
            boxes[label[a->category]]++;
    }
    strbuf_addf(text, "%s: %d images, %d without a box; %d boxes", section, set->image_count, without,
                set->annotation_count);
    for (int i = 0; boxes && i < class_names->count && i < CLASSES; i++) {
        strbuf_addf(text, ", ");
        strbuf_add_escaped(text, class_names->at[i]);
        strbuf_addf(text, " %d", boxes[i]);
    }
    strbuf_addf(text, "%s", class_names->count > CLASSES ? ", ..." : "");
    strbuf_addf(text, ignored ? ", to be ignored %d\n" : "\n", ignored);
    const int count = sizes ? sizes_at_input(set, c, label, sizes) : 0;
    if (count)
        strbuf_addf(text, "%s: box sizes at %d x %d (root of the area): 10%% below %.0f pixels, 50%% below %.0f, "
                    "90%% below %.0f\n", section, c->input_size[0], c->input_size[1], sizes[count / 10],
                    sizes[count / 2], sizes[count * 9 / 10]);
    free(boxes);
    free(sizes);
}
