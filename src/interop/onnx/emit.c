/* Numbers of fields and types are those of onnx.proto. */
#include "interop/onnx/emit.h"

#include "base/strbuf.h"
#include "base/wire.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_FLOAT = 1, TYPE_INT64 = 7, TYPE_FLOAT16 = 10 };

void emitter_free(struct emitter *e)
{
    strbuf_free(&e->nodes);
    strbuf_free(&e->tensors);
    strbuf_free(&e->declared);
}

static struct value_name new_name(struct emitter *e)
{
    struct value_name label;
    snprintf(label.s, sizeof label.s, "/t%d", e->names++);
    return label;
}

/* ---- nodes ---- */

enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_TEXT = 3, ATTRIBUTE_INTS = 7 };

/* One attribute, `name=value` or `name~value`, of which equals is the sign between. */
static void put_attribute(struct strbuf *node, const char *text, const char *equals, const char *end)
{
    struct strbuf attribute = {0};
    int type = ATTRIBUTE_INT;
    char *rest;
    wire_put_bytes(&attribute, 1, text, (size_t)(equals - text));
    if (*equals == '~') {
        type = ATTRIBUTE_FLOAT;
        wire_put_float(&attribute, 2, strtof(equals + 1, NULL));
    } else if (equals[1] == '\'') {
        type = ATTRIBUTE_TEXT;
        wire_put_bytes(&attribute, 4, equals + 2, (size_t)(end - 1 - (equals + 2)));
    } else if (equals[1] == '[') {
        type = ATTRIBUTE_INTS;
        for (const char *at = equals + 1; *at != ']'; at = rest)
            wire_put_int(&attribute, 8, strtoll(at + 1, &rest, 10));
    } else
        wire_put_int(&attribute, 3, strtoll(equals + 1, NULL, 10));
    wire_put_int(&attribute, 20, type);
    wire_put_message(node, 5, &attribute);
}

static void add_node(struct emitter *e, const char *op, const char *const *operands, const char *const *outs,
                     const char *attributes)
{
    struct strbuf node = {0}, name = {0};
    strbuf_addf(&name, "%s/%d", e->name, e->count++);
    for (; *operands; operands++)
        wire_put_text(&node, 1, *operands);
    for (; *outs; outs++)
        wire_put_text(&node, 2, *outs);
    wire_put_text(&node, 3, name.s ? name.s : "");
    wire_put_text(&node, 4, op);
    for (const char *at = attributes + strspn(attributes, " "); *at; at += strspn(at, " ")) {
        const char *end = at + strcspn(at, " ");
        put_attribute(&node, at, at + strcspn(at, "=~"), end);
        at = end;
    }
    wire_put_message(&e->nodes, 1, &node);
    e->nodes.failed = e->nodes.failed || name.failed;
    strbuf_free(&name);
}

struct value_name emit(struct emitter *e, const char *out, const char *op, const char *const *operands,
                       const char *attributes, ...)
{
    const struct value_name label = out ? (struct value_name){{0}} : new_name(e);
    char text[200] = "";
    va_list list;
    va_start(list, attributes);
    if (attributes)
        vsnprintf(text, sizeof text, attributes, list);
    va_end(list);
    add_node(e, op, operands, (const char *const[]){ out ? out : label.s, NULL }, text);
    return label;
}

struct value_name emit_one(struct emitter *e, const char *op, const char *x)
{
    return emit(e, NULL, op, (const char *const[]){ x, NULL }, NULL);
}

struct value_name emit_two(struct emitter *e, const char *op, const char *x, const char *y)
{
    return emit(e, NULL, op, (const char *const[]){ x, y, NULL }, NULL);
}

struct value_name emit_channels(struct emitter *e, const char *x, int from, int to)
{
    const struct value_name start = emit_ints(e, &(int64_t){ from }, 1), end = emit_ints(e, &(int64_t){ to }, 1);
    const struct value_name axis = emit_ints(e, &(int64_t){ 1 }, 1);
    return emit(e, NULL, "Slice", (const char *const[]){ x, start.s, end.s, axis.s, NULL }, NULL);
}

struct value_name emit_largest(struct emitter *e, const char *out, const char *x, const char *count)
{
    const struct value_name places = new_name(e);
    add_node(e, "TopK", (const char *const[]){ x, count, NULL }, (const char *const[]){ out, places.s, NULL },
             "axis=0");
    return places;
}

/* ---- constants ---- */

void emit_tensor(struct emitter *e, const char *name, const struct tensor *t, int rank, const size_t *dims)
{
    struct strbuf tensor = {0};
    for (int i = 0; i < rank; i++)
        wire_put_int(&tensor, 1, (int64_t)dims[i]);
    wire_put_int(&tensor, 2, t->dtype == DTYPE_F16 ? TYPE_FLOAT16 : t->dtype == DTYPE_F32 ? TYPE_FLOAT : TYPE_INT64);
    wire_put_text(&tensor, 8, name);
    wire_put_bytes(&tensor, 9, t->data, tensor_bytes(t));
    wire_put_message(&e->tensors, 5, &tensor);
}

struct value_name emit_ints(struct emitter *e, const int64_t *numbers, int count)
{
    const struct value_name label = new_name(e);
    const struct tensor t = { .dtype = DTYPE_I64, .rank = 1, .dims = { (size_t)count },
                              .data = (const unsigned char *)numbers };
    emit_tensor(e, label.s, &t, t.rank, t.dims);
    return label;
}

struct value_name emit_float(struct emitter *e, float number) { return emit_floats(e, &number, 0, NULL); }

struct value_name emit_floats(struct emitter *e, const float *numbers, int rank, const size_t *dims)
{
    const struct value_name label = new_name(e);
    struct tensor t = { .dtype = DTYPE_F32, .rank = rank, .data = (const unsigned char *)numbers };
    for (int i = 0; i < rank; i++)
        t.dims[i] = dims[i];
    emit_tensor(e, label.s, &t, rank, dims);
    return label;
}

/* ---- declarations ---- */

void emit_declare(struct emitter *e, enum direction direction, const char *name, bool whole,
                  const struct extent *extents, int rank)
{
    struct strbuf shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (int i = 0; i < rank; i++) {
        struct strbuf extent = {0};
        if (extents[i].name)
            wire_put_text(&extent, 2, extents[i].name);
        else
            wire_put_int(&extent, 1, extents[i].number);
        wire_put_message(&shape, 1, &extent);
    }
    wire_put_int(&tensor, 1, whole ? TYPE_INT64 : TYPE_FLOAT);
    wire_put_message(&tensor, 2, &shape);
    wire_put_message(&type, 1, &tensor);
    wire_put_text(&info, 1, name);
    wire_put_message(&info, 2, &type);
    wire_put_message(&e->declared, (int)direction, &info);
}
