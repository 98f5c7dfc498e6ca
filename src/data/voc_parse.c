/* data/voc_parse.c -- one XML file, through expat's callbacks. */
#include "data/voc.h"

#include "base/memory.h"
#include "base/table.h"
#include "data/picture.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

enum { DEPTH = 32, PATH = 256, VALUE = sizeof ((struct voc_box *)0)->name };
enum field { FILENAME, IMAGE_WIDTH, IMAGE_HEIGHT, CLASS, X1, Y1, X2, Y2, FIELDS };

static const struct element { const char *name; enum field field; } elements[] = {      /* below the root */
    { "/filename",           FILENAME },
    { "/size/width",         IMAGE_WIDTH },
    { "/size/height",        IMAGE_HEIGHT },
    { "/object/name",        CLASS },
    { "/object/bndbox/xmin", X1 },
    { "/object/bndbox/ymin", Y1 },
    { "/object/bndbox/xmax", X2 },
    { "/object/bndbox/ymax", Y2 },
    {0} };

struct parse {
    XML_Parser parser;
    struct voc *out;
    int depth;
    char path[PATH];                                    /* of the element we are in, the root left out */
    const struct element *in;                           /* the one whose text is wanted, or NULL */
    char value[FIELDS][VALUE];
    bool seen[FIELDS];
    const char *name; struct error *err; bool failed;
};

static int line_of(const struct parse *k)
{
    const XML_Size line = XML_GetCurrentLineNumber(k->parser);
    return line < INT_MAX ? (int)line : INT_MAX;
}

static void stop(struct parse *k, const char *what)
{
    if (!k->failed)
        fail(k->err, "%s:%d: %s", k->name, line_of(k), what);
    k->failed = true;
    XML_StopParser(k->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *k = user;
    const size_t used = strlen(k->path), n = strlen(name);
    (void)attributes;
    k->in = NULL;
    if (k->depth++ == 0 || k->failed)
        return;
    if (k->depth > DEPTH || used + n + 2 > PATH) {
        stop(k, "is nested too deeply");
        return;
    }
    k->path[used] = '/';
    memcpy(k->path + used + 1, name, n + 1);
    k->in = find_row(k->path, elements, sizeof *elements);
    if (k->in && k->seen[k->in->field])                 /* the first one counts */
        k->in = NULL;
    if (k->in)
        k->seen[k->in->field] = true;
}

static void on_text(void *user, const XML_Char *text, int size)
{
    struct parse *k = user;
    if (!k->in || k->failed)
        return;
    char *value = k->value[k->in->field];
    const size_t used = strlen(value);
    if ((size_t)size >= VALUE - used) {
        stop(k, "the text is too long");
        return;
    }
    memcpy(value + used, text, (size_t)size);
    value[used + (size_t)size] = 0;
}

static char *trim(char *s)
{
    static const char blank[] = " \t\r\n";
    s += strspn(s, blank);
    for (size_t n = strlen(s); n > 0 && strchr(blank, s[n - 1]); n--)
        s[n - 1] = 0;
    return s;
}

static bool number(struct parse *k, enum field field, double *out)
{
    char *s = trim(k->value[field]), *end;
    *out = strtod(s, &end);
    return end != s && *end == 0 && isfinite(*out);
}

static void add_box(struct parse *k)
{
    struct voc_box box = { .line = line_of(k) };
    strcpy(box.name, trim(k->value[CLASS]));
    if (!*box.name || !number(k, X1, &box.x1) || !number(k, Y1, &box.y1) || !number(k, X2, &box.x2)
        || !number(k, Y2, &box.y2)) {
        stop(k, "an object must have a name and a bndbox of four numbers");
        return;
    }
    if (grow_array(&k->out->boxes, k->out->count, &k->out->capacity, sizeof box, k->err))
        k->out->boxes[k->out->count++] = box;
    else {
        k->failed = true;
        XML_StopParser(k->parser, XML_FALSE);
    }
    for (int i = CLASS; i <= Y2; i++) {
        k->seen[i] = false;
        k->value[i][0] = 0;
    }
}

static void on_end(void *user, const XML_Char *name)
{
    struct parse *k = user;
    char *slash = strrchr(k->path, '/');
    (void)name;
    k->in = NULL;
    if (k->failed)
        return;
    if (strcmp(k->path, "/object") == 0)
        add_box(k);
    if (slash)
        *slash = 0;
    k->depth--;
}

static void on_entity(void *user, const XML_Char *name, int parameter, const XML_Char *value, int size,
                      const XML_Char *base, const XML_Char *system, const XML_Char *public, const XML_Char *notation)
{
    (void)name, (void)parameter, (void)value, (void)size, (void)base, (void)system, (void)public, (void)notation;
    stop(user, "entities are not accepted");
}

static bool side(struct parse *k, enum field field, int *out)
{
    double v;
    if (!*k->value[field])
        return true;
    if (!number(k, field, &v) || !(v >= 0 && v <= PICTURE_SIDE) || v != floor(v))
        return fail(k->err, "%s: width and height must be whole numbers from 0 to %d", k->name, PICTURE_SIDE);
    *out = (int)v;
    return true;
}

static bool run(struct parse *k, struct bytes text)
{
    XML_SetUserData(k->parser, k);
    XML_SetElementHandler(k->parser, on_start, on_end);
    XML_SetCharacterDataHandler(k->parser, on_text);
    XML_SetEntityDeclHandler(k->parser, on_entity);
    if (text.size > INT_MAX)
        return fail(k->err, "%s: is too large", k->name);
    if (XML_Parse(k->parser, (const char *)text.p, (int)text.size, XML_TRUE) != XML_STATUS_OK)
        return !k->failed
            && fail(k->err, "%s:%d: %s", k->name, line_of(k), XML_ErrorString(XML_GetErrorCode(k->parser)));
    strcpy(k->out->file, trim(k->value[FILENAME]));
    return !k->failed && side(k, IMAGE_WIDTH, &k->out->width) && side(k, IMAGE_HEIGHT, &k->out->height);
}

bool voc_parse(struct voc *out, struct bytes text, const char *path, struct error *err)
{
    struct parse k = { .parser = XML_ParserCreate(NULL), .out = out, .name = path, .err = err };
    *out = (struct voc){0};
    if (!k.parser)
        return fail(err, "%s: out of memory", path);
    const bool ok = run(&k, text);
    XML_ParserFree(k.parser);
    if (!ok)
        voc_free(out);
    return ok;
}

void voc_free(struct voc *voc)
{
    free(voc->boxes);
    *voc = (struct voc){0};
}
