/* data/labels.c -- which class of a model each category of a dataset is. */
#include "base/strbuf.h"
#include "data/dataset.h"

#include "base/memory.h"
#include "base/name_index.h"
#include "base/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int letter(char c) { return c == '_' || c == '-' ? ' ' : (unsigned char)c; }

int class_name_compare(const char *a, const char *b)
{
    while (*a && letter(*a) == letter(*b))
        a++, b++;
    return letter(*a) - letter(*b);
}

int class_find(const char *const *class_names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(class_names[i], name) == 0)
            return i;
    for (int i = 0; i < count; i++)
        if (class_name_compare(class_names[i], name) == 0)
            return i;
    return -1;
}

const char *class_nearest(const char *const *class_names, int count, const char *name)
{
    int nearest = 0;
    for (int i = 1; i < count; i++)
        if (edit_distance(name, class_names[i]) < edit_distance(name, class_names[nearest]))
            nearest = i;
    return class_names[nearest];
}

static const struct category no_class[] = { { 0, "ignored regions" }, { 11, "others" }, {0} };

bool category_is_no_class(const struct category *category)
{
    for (const struct category *none = no_class; none->name; none++)
        if (category->id == none->id && strcmp(category->name, none->name) == 0)
            return true;
    return false;
}

struct matching {
    struct dataset *set;
    const char *const *names; int count;        /* of the classes */
    struct name_index equal, alike;             /* of the classes: by strcmp, by class_name_compare */
    int *label;
    int *boxes;                                 /* [categories] */
    int *category;                              /* [classes] or -1 */
};

/* Like class_find. */
static int find_class(const struct matching *m, const char *name)
{
    const int class = name_index_find_first(&m->equal, name);
    return class != NAME_ABSENT ? class : name_index_find_first(&m->alike, name);
}

/* Matches by name.  Of two categories of one name the one with boxes counts; two with boxes are an error. */
static bool match_names(struct matching *m, int *matched, struct error *err)
{
    *matched = 0;
    for (int i = 0; i < m->set->category_count; i++) {
        const struct category *category = &m->set->categories[i];
        const int class = find_class(m, category->name);
        const int rival = class < 0 ? -1 : m->category[class];
        m->label[i] = -1;
        if (rival >= 0 && m->boxes[i] && m->boxes[rival])
            return misuse(err, "two categories of the annotations are called '%s', ids %" PRId64 " and %" PRId64
                          ", and both have boxes: give them different names or make them one", category->name,
                          m->set->categories[rival].id, category->id);
        if (class < 0 || (rival >= 0 && !m->boxes[i]))
            continue;
        if (rival >= 0)
            m->label[rival] = -1;
        m->label[i] = class;
        m->category[class] = i;
        *matched += rival < 0;
    }
    return true;
}

static void list_names(struct strbuf *t, const char *const *names, int count)
{
    enum { SHOWN = 5 };
    for (int i = 0; i < count && i < SHOWN; i++)
        strbuf_addf(t, "%s%.40s", i ? ", " : "", names[i]);
    strbuf_addf(t, "%s", count > SHOWN ? ", ..." : "");
}

/* The i-th category in ascending id is class i, as in the original. */
static bool match_order(struct matching *m, const char *const *category_names, int classes, struct error *err)
{
    int next = 0;
    if (classes != m->count) {
        struct strbuf text = {0};
        strbuf_addf(&text, "no category of the annotations has the name of a class: class_names has %d (", m->count);
        list_names(&text, m->names, m->count);
        strbuf_addf(&text, "), the annotations have %d (", classes);
        list_names(&text, category_names, classes);
        strbuf_addf(&text, "): write the names of the annotations into class_names, class_names: [");
        list_names(&text, category_names, classes);
        const bool ok = strbuf_check(&text, err) && misuse(err, "%s]", text.s);
        strbuf_free(&text);
        return ok;
    }
    for (int i = 0; i < m->set->category_count; i++) {
        const struct category *category = &m->set->categories[i];
        if (category_is_no_class(category))
            continue;
        dataset_note(m->set, NOTE_CLASS_ORDER, "class %s is category %" PRId64 " '%s'", m->names[next], category->id,
                     category->name);
        m->label[i] = next++;
    }
    return true;
}

/* Categories that are not classes: without boxes they are left out, with boxes they are an error. */
static bool settle_categories(struct matching *m, const char *const *sorted_names, struct error *err)
{
    for (int i = 0; i < m->set->category_count; i++) {
        const struct category *category = &m->set->categories[i];
        if (m->label[i] >= 0 || category_is_no_class(category))
            continue;
        if (m->boxes[i])
            return misuse(err, "category %" PRId64 " '%s' has %d boxes, but class_names does not have it; the nearest "
                          "class is '%s': correct the name, or add the class", category->id, category->name,
                          m->boxes[i], nearest_name(category->name, sorted_names, sizeof *sorted_names));
        dataset_note(m->set, NOTE_UNUSED_CATEGORY, "%" PRId64 " '%s'", category->id, category->name);
    }
    return true;
}

static void note_absent_classes(const struct matching *m, const char *const *category_names)
{
    for (int i = 0; i < m->count; i++)
        if (m->category[i] < 0)
            dataset_note(m->set, NOTE_ABSENT_CLASS, "'%s', the nearest category is '%s'", m->names[i],
                         dataset_note_full(m->set, NOTE_ABSENT_CLASS) ? "" :    /* not kept, and slow to find */
                         nearest_name(m->names[i], category_names, sizeof *category_names));
}

/* category_names: those that may be classes; both lists end with NULL. */
static bool match(struct matching *m, const char **category_names, const char **class_names, struct error *err)
{
    int matched, classes = 0;
    for (int i = 0; i < m->set->annotation_count; i++)
        m->boxes[m->set->annotations[i].category]++;
    for (int i = 0; i < m->count; i++) {
        class_names[i] = m->names[i];
        m->category[i] = -1;
    }
    for (int i = 0; i < m->set->category_count; i++)
        if (!category_is_no_class(&m->set->categories[i]))
            category_names[classes++] = m->set->categories[i].name;
    if (!match_names(m, &matched, err))
        return false;
    if (matched == 0)
        return match_order(m, category_names, classes, err);
    if (!settle_categories(m, class_names, err))
        return false;
    note_absent_classes(m, category_names);
    return true;
}

bool dataset_labels(struct dataset *set, const char *const *class_names, int count, int *label, struct error *err)
{
    struct matching m = { .set = set, .names = class_names, .count = count, .label = label };
    const char **categories = new_array((size_t)set->category_count + 1, sizeof *categories, err);
    const char **classes = new_array((size_t)count + 1, sizeof *classes, err);
    m.boxes = new_array((size_t)set->category_count, sizeof *m.boxes, err);
    m.category = new_array((size_t)count, sizeof *m.category, err);
    const bool ok = categories && classes && m.boxes && m.category
                 && name_index_from_names(&m.equal, count, class_names, strcmp, err)
                 && name_index_from_names(&m.alike, count, class_names, class_name_compare, err)
                 && match(&m, categories, classes, err);
    name_index_free(&m.alike);
    name_index_free(&m.equal);
    free(m.category);
    free(m.boxes);
    free(classes);
    free(categories);
    return ok;
}

/* Categories stay in ascending id. */
static bool add_category(struct dataset *set, const char *name, struct error *err)
{
    const int n = set->category_count;
    const int64_t id = n ? set->categories[n - 1].id + 1 : 1;
    struct category *categories = realloc(set->categories, ((size_t)n + 1) * sizeof *categories);
    if (!categories)
        return fail(err, "out of memory for %d categories", n + 1);
    set->categories = categories;
    categories[n] = (struct category){ id, new_text(name, err) };
    set->category_count += categories[n].name != NULL;
    return categories[n].name != NULL;
}

bool dataset_classes(struct dataset *set, const char *const *class_names, int count, int *category, struct error *err)
{
    const int categories = set->category_count;
    int *label = new_array((size_t)categories, sizeof *label, err);
    bool ok = label && dataset_labels(set, class_names, count, label, err);
    for (int i = 0; i < count; i++)
        category[i] = -1;
    for (int i = 0; ok && i < categories; i++)
        if (label[i] >= 0)
            category[label[i]] = i;
    free(label);
    for (int i = 0; ok && i < count; i++)
        if (category[i] < 0) {
            category[i] = set->category_count;
            ok = add_category(set, class_names[i], err);
        }
    return ok;
}
