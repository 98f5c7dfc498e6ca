#include "eval/join.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3 };                             /* records named in a message */

/* ---- names ---- */

static const char *skip_dot(const char *path)
{
    while (path[0] == '.' && (path[1] == '/' || path[1] == '\\'))
        path += 2;
    return path;
}

static int letter(char c) { return c == '\\' ? '/' : (unsigned char)c; }

static int compare_paths(const char *a, const char *b)
{
    a = skip_dot(a);
    b = skip_dot(b);
    while (*a && letter(*a) == letter(*b))
        a++, b++;
    return letter(*a) - letter(*b);
}

static const char *base_of(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/' || *path == '\\')
            base = path + 1;
    return base;
}

static const char *image_name(const void *gt, int i)
{
    return ((const struct dataset *)gt)->images[i].file;
}

static const char *image_base(const void *gt, int i) { return base_of(image_name(gt, i)); }

static const char *category_name(const void *gt, int i)
{
    return ((const struct dataset *)gt)->categories[i].name;
}

static const struct side {
    const char *what, *key;
    name_compare *compare;
    const char *(*name)(const void *gt, int index);
    int (*of_id)(const struct dataset *, int64_t id);
} sides[JOIN_SIDES] = {
    [JOIN_IMAGE]    = { "image",    "file_name",     compare_paths,      image_name,    dataset_image },
    [JOIN_CATEGORY] = { "category", "category_name", class_name_compare, category_name, dataset_category },
};

static bool build_index(struct join *j, enum join_side which, int count, struct error *err)
{
    const struct side *side = &sides[which];
    struct join_index *index = &j->side[which];
    index->claimed = new_array((size_t)count, sizeof *index->claimed, err);
    return index->claimed
        && name_index_build(&index->paths, count, side->name, j->gt, side->compare, err)
        && (which != JOIN_IMAGE || name_index_build(&index->bases, count, image_base, j->gt, compare_paths, err));
}

bool join_begin(struct join *j, const struct dataset *gt, struct error *err)
{
    *j = (struct join){ .gt = gt };
    return build_index(j, JOIN_IMAGE, gt->image_count, err)
        && build_index(j, JOIN_CATEGORY, gt->category_count, err);
}

void join_free(struct join *j)
{
    for (int i = 0; i < JOIN_SIDES; i++) {
        struct join_index *index = &j->side[i];
        for (int k = 0; index->claimed && k < index->paths.count; k++)
            free(index->claimed[k]);
        free(index->claimed);
        name_index_free(&index->paths);
        name_index_free(&index->bases);
        strbuf_free(&index->first_missing);
    }
    *j = (struct join){0};
}

/* ---- finding ---- */

static int decided_by_id(struct join_index *index, int record, int there)
{
    if (index->by_id++ == 0)
        index->first_by_id = record;
    return there;
}

static int find_spelling(const struct join_index *index, enum join_side which, const char *name)
{
    const int found = name_index_find_unique(&index->paths, name);
    return found < 0 && which == JOIN_IMAGE ? name_index_find_unique(&index->bases, base_of(name)) : found;
}

/* Finds a name that has %XX for bytes that are not UTF-8 on one side only. */
static int find_other_spelling(const struct join_index *index, enum join_side which, const char *name)
{
    struct strbuf coded = {0};
    char *plain = new_text(name, NULL);
    strbuf_add_utf8(&coded, name, strlen(name));
    int found = coded.s && !coded.failed ? find_spelling(index, which, coded.s) : -1;
    if (found < 0 && plain) {
        percent_decode(plain);
        found = find_spelling(index, which, plain);
    }
    free(plain);
    strbuf_free(&coded);
    return found;
}

/* there: the index of the record's id, or -1. */
static int find_name(struct join *j, enum join_side which, int record, int there, const char *name)
{
    const struct side *side = &sides[which];
    struct join_index *index = &j->side[which];
    if (there >= 0 && side->compare(side->name(j->gt, there), name) == 0)
        return there;
    int found = find_spelling(index, which, name);
    if (found < 0)
        found = find_other_spelling(index, which, name);
    if (found < 0 && which == JOIN_IMAGE && there >= 0
        && compare_paths(base_of(side->name(j->gt, there)), base_of(name)) == 0)
        found = decided_by_id(index, record, there);
    return found;
}

/* Two names of the detections must not mean one image. */
static bool claim(struct join_index *index, const struct side *side, int found, const char *name)
{
    if (!index->claimed[found])
        index->claimed[found] = new_text(name, NULL);
    index->first_missing.failed |= !index->claimed[found];      /* join_end then says "out of memory" */
    return index->claimed[found] && side->compare(index->claimed[found], name) == 0;
}

static int missing(struct join *j, enum join_side which, int record, int64_t id, const char *name, int there)
{
    struct join_index *index = &j->side[which];
    const struct side *side = &sides[which];
    if (index->missing++ >= SHOWN)
        return -1;
    strbuf_addf(&index->first_missing, "%sdetection %d (%s %" PRId64, index->missing > 1 ? ", " : "", record,
                side->what, id);
    if (*name)
        strbuf_addf(&index->first_missing, " '%.60s'", name);
    if (*name && there >= 0)
        strbuf_addf(&index->first_missing, ", which is '%.60s' there", side->name(j->gt, there));
    strbuf_addf(&index->first_missing, ")");
    return -1;
}

int join_find(struct join *j, enum join_side which, int record, int64_t id, const char *name)
{
    const struct side *side = &sides[which];
    struct join_index *index = &j->side[which];
    const int there = side->of_id(j->gt, id);
    if (which == JOIN_IMAGE)
        j->records++;
    const bool has_names = *name && (there < 0 || *side->name(j->gt, there));
    const int found = has_names ? find_name(j, which, record, there, name) : decided_by_id(index, record, there);
    if (found < 0 || (has_names && !claim(index, side, found, name)))
        return missing(j, which, record, id, name, there);
    index->renumbered += found != there;
    return found;
}

bool join_end(const struct join *j, const char *path, struct error *err)
{
    for (int i = 0; i < JOIN_SIDES; i++) {
        const struct join_index *index = &j->side[i];
        if (index->missing)
            return strbuf_check(&index->first_missing, err)
                && fail(err, "%s: %d of %d detections belong to no %s of the ground truth: %s%s", path, index->missing,
                        j->records, sides[i].what, index->first_missing.s, index->missing > SHOWN ? ", ..." : "");
        if (index->by_id && index->renumbered)
            return fail(err, "%s: detection %d has no %s that belongs to one %s (%d of %d detections), and its id is "
                        "no help: the ids of other detections contradict their names", path, index->first_by_id,
                        sides[i].key, sides[i].what, index->by_id, j->records);
    }
    return true;
}
