#include "weights/levels.h"

#include "base/memory.h"
#include "base/min_max.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 640 };

/* "fpn.reduce_layers.2.conv.weight" is element 2 of a list whose name has `length` characters; rest: ".conv.weight". */
struct element { size_t length; int index; const char *rest; };

/* The outermost list in a name; false if there is none. */
static bool find_list(const char *name, struct element *e)
{
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        const size_t digits = strspn(dot + 1, "0123456789");
        if (digits > 0 && digits < 4 && (dot[1 + digits] == '.' || !dot[1 + digits])) {
            *e = (struct element){ (size_t)(dot - name), atoi(dot + 1), dot + 1 + digits };
            return true;
        }
    }
    return false;
}

/* One more than the index of `name` if it is an element of the list, else 0. */
static int length_with(const char *name, const char *list, size_t length)
{
    struct element e;
    return find_list(name, &e) && e.length == length && strncmp(name, list, length) == 0 ? e.index + 1 : 0;
}

static int length_in_model(const struct params *params, const char *list, size_t length)
{
    int count = 0;
    for (int i = 0; i < params->count; i++)
        count = max_int(count, length_with(params->list[i].name, list, length));
    return count;
}

static int length_in_file(const struct tensors *t, const char *list, size_t length)
{
    int count = 0;
    for (int i = 0; i < t->count; i++)
        count = max_int(count, length_with(t->list[i].name, list, length));
    return count;
}

/* Do the first convolutions of the neck read maps of the same channels, if the file's levels are raised by `by`? */
static bool maps_agree(const struct params *params, const struct tensors *t, const char *list, int by)
{
    for (int i = 0; i < t->count; i++) {
        const struct tensor *conv = &t->list[i];
        struct element e;
        size_t dims[4];
        char name[NAME_MAX_LENGTH];
        if (!length_with(conv->name, list, strlen(list)) || !find_list(conv->name, &e)
            || strcmp(e.rest, ".conv.weight") != 0)
            continue;
        snprintf(name, sizeof name, "%s.%d.conv.weight", list, e.index + by);
        const int p = params_find(params, name);
        if (p < 0 || conv->rank != 4 || param_dims(&params->list[p], dims) != 4 || conv->dims[1] != dims[1])
            return false;
    }
    return true;
}

static int find_added(const struct params *params, const struct tensors *t)
{
    static const char *const lists[] = { "fpn.reduce_layers", "fpn.lateral_convs" };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const size_t length = strlen(lists[i]);
        const int in_file = length_in_file(t, lists[i], length);
        const int added = length_in_model(params, lists[i], length) - in_file;
        if (in_file > 0 && added > 0 && !maps_agree(params, t, lists[i], 0) && maps_agree(params, t, lists[i], added))
            return added;
    }
    return 0;
}

/* The top-down path is numbered from the coarsest level, and backbones have no levels.  Lists of other things than
 * levels have as many elements as in the model. */
static bool is_of_levels(const struct params *params, const struct tensors *t, const char *name, int added)
{
    struct element e;
    return !starts_with(name, "backbone.") && !strstr(name, "top_down_blocks.") && find_list(name, &e)
        && length_in_model(params, name, e.length) - length_in_file(t, name, e.length) == added;
}

bool raise_levels(const struct params *params, struct tensors *t, int *added, struct error *err)
{
    bool *raised = new_array((size_t)t->count, sizeof *raised, err), ok = raised;
    *added = ok ? find_added(params, t) : 0;
    for (int i = 0; *added && i < t->count; i++)
        raised[i] = is_of_levels(params, t, t->list[i].name, *added);
    for (int i = 0; ok && *added && i < t->count; i++) {
        struct element e;
        char name[NAME_MAX_LENGTH];
        if (raised[i] && find_list(t->list[i].name, &e)) {
            snprintf(name, sizeof name, "%.*s.%d%s", (int)e.length, t->list[i].name, e.index + *added, e.rest);
            ok = tensor_rename(&t->list[i], name, err);
        }
    }
    free(raised);
    return ok;
}
