#include "data/voc.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/table.h"
#include "base/text_file.h"
#include "data/image.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

enum { DEPTH = 32, PATH = 256, VALUE = sizeof ((struct named_box *)0)->name };
enum field { FILENAME, IMAGE_WIDTH, IMAGE_HEIGHT, CLASS, X1, Y1, X2, Y2, FIELDS };

static const struct element { const char *name; enum field field; } elements[] = {      /* below the root, by field */
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
    struct image_annotations *out;
    int depth;
    char path[PATH];                                    /* of the element we are in, the root left out */
    const struct element *in;                           /* the one whose text is wanted, or NULL */
    char value[FIELDS][VALUE];
    bool present[FIELDS];
    const char *name; struct dataset *set; bool failed;
    bool annotation;                                    /* the name of the root */
};

static int line_of(const struct parse *k)
{
    const XML_Size line = XML_GetCurrentLineNumber(k->parser);
    return line < INT_MAX ? (int)line : INT_MAX;
}

static void stop(struct parse *k, const char *what)
{
    if (!k->failed)
        dataset_problem(k->set, "%s:%d: %s", k->name, line_of(k), what);
    k->failed = true;
    XML_StopParser(k->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *k = user;
    const size_t used = strlen(k->path), n = strlen(name);
    (void)attributes;
    k->in = NULL;
    k->annotation |= k->depth == 0 && strcmp(name, "annotation") == 0;
    if (k->depth++ == 0 || k->failed)
        return;
    if (k->depth > DEPTH || used + n + 2 > PATH) {
        stop(k, "is nested too deeply");
        return;
    }
    k->path[used] = '/';
    memcpy(k->path + used + 1, name, n + 1);
    k->in = find_row(k->path, elements, sizeof *elements);
    if (k->in && k->present[k->in->field])                 /* the first one counts */
        k->in = NULL;
    if (k->in)
        k->present[k->in->field] = true;
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

static bool number(struct parse *k, enum field field, double *out)
{
    char *s = text_trim(k->value[field]), *end;
    *out = strtod(s, &end);
    return end != s && *end == 0 && isfinite(*out);
}

/* Sets box; if the object is not a box, *why says why. */
static bool read_box(struct parse *k, struct named_box *box, struct error *why)
{
    double *const to[FIELDS] = { [X1] = &box->x1, [Y1] = &box->y1, [X2] = &box->x2, [Y2] = &box->y2 };
    strcpy(box->name, text_trim(k->value[CLASS]));
    if (!*box->name)
        return fail(why, "an object has no <name>");
    for (enum field f = X1; f <= Y2; f++)
        if (!k->present[f])
            return fail(why, "the object '%s' has no <%s> in a <bndbox>", box->name, path_name(elements[f].name));
        else if (!number(k, f, to[f]))
            return fail(why, "the object '%s': <%s> is '%s', not a finite number", box->name,
                        path_name(elements[f].name), k->value[f]);
    return true;
}

static void add_box(struct parse *k)
{
    struct named_box box = { .line = line_of(k) };
    struct error why;
    if (!read_box(k, &box, &why))
        dataset_problem(k->set, "%s:%d: %s", k->name, box.line, why.text);
    else if (grow_array(&k->out->boxes, k->out->count, &k->out->capacity, sizeof box, &why))
        k->out->boxes[k->out->count++] = box;
    else
        stop(k, why.text);
    for (int i = CLASS; i <= Y2; i++) {
        k->present[i] = false;
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

/* The one encoding that is common in such files and that expat does not know. */
static int on_encoding(void *unused, const XML_Char *name, XML_Encoding *encoding)
{
    (void)unused;
    if (strcasecmp(name, "windows-1252") != 0 && strcasecmp(name, "cp1252") != 0)
        return XML_STATUS_ERROR;
    for (int i = 0; i < 256; i++)
        encoding->map[i] = (int)code_point_of_1252((unsigned char)i);
    return XML_STATUS_OK;
}

static void side(struct parse *k, enum field field, int *out)
{
    double v;
    if (!*k->value[field])
        return;
    if (number(k, field, &v) && v >= 0 && v <= IMAGE_SIDE && v == floor(v))
        *out = (int)v;
    else
        dataset_problem(k->set, "%s: <%s> is '%s', not a whole number from 0 to %d", k->name,
                        path_name(elements[field].name), text_trim(k->value[field]), IMAGE_SIDE);
}

static void explain(struct parse *k)
{
    const enum XML_Error code = XML_GetErrorCode(k->parser);
    const bool cut = code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN
                  || code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
    dataset_problem(k->set, "%s:%d: byte %lu: %s%s", k->name, line_of(k),
                    (unsigned long)XML_GetCurrentColumnNumber(k->parser) + 1,
                    cut ? "the file ends within its XML: " : "", XML_ErrorString(code));
}

static bool run(struct parse *k, struct bytes text)
{
    XML_SetUserData(k->parser, k);
    XML_SetElementHandler(k->parser, on_start, on_end);
    XML_SetCharacterDataHandler(k->parser, on_text);
    XML_SetEntityDeclHandler(k->parser, on_entity);
    XML_SetUnknownEncodingHandler(k->parser, on_encoding, NULL);
    if (text.size > INT_MAX)
        stop(k, "is too large");
    else if (XML_Parse(k->parser, (const char *)text.p, (int)text.size, XML_TRUE) != XML_STATUS_OK && !k->failed) {
        explain(k);
        k->failed = true;
    }
    if (!k->failed && !k->annotation && k->out->count == 0) {
        dataset_problem(k->set, "%s: is XML of another kind, its root is not <annotation>", k->name);
        k->failed = true;
    }
    if (k->failed)
        return false;
    strcpy(k->out->file, text_trim(k->value[FILENAME]));
    side(k, IMAGE_WIDTH, &k->out->width);
    side(k, IMAGE_HEIGHT, &k->out->height);
    return true;
}

/* Text that is UTF-8 is read so, whatever it declares; other text as it declares, or as Windows-1252. */
static const char *encoding_of(struct bytes text, const char *path, struct dataset *set)
{
    if (text_is_utf8((const char *)text.p))
        return "UTF-8";
    if (memmem(text.p, text.size < 100 ? text.size : 100, "encoding", strlen("encoding")))
        return NULL;
    dataset_note(set, NOTE_ENCODING, "%s", path);
    return "windows-1252";
}

bool voc_parse(struct image_annotations *out, struct bytes text, const char *path, struct dataset *set)
{
    struct parse k = { .out = out, .name = path, .set = set };
    *out = (struct image_annotations){0};
    if (text.size == 0) {
        dataset_problem(set, "%s: is empty", path);
        return false;
    }
    k.parser = XML_ParserCreate(encoding_of(text, path, set));
    if (!k.parser) {
        dataset_problem(set, "%s: out of memory", path);
        return false;
    }
    const bool ok = run(&k, text);
    XML_ParserFree(k.parser);
    if (!ok)
        image_annotations_free(out);
    return ok;
}
