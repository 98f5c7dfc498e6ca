#include "interop/onnx/file.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/wire.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool slice_is(struct text_slice s, const char *text)
{
    return strlen(text) == (size_t)s.size && memcmp(s.p, text, (size_t)s.size) == 0;
}

static int compare(struct text_slice a, struct text_slice b)
{
    const int order = memcmp(a.p, b.p, (size_t)(a.size < b.size ? a.size : b.size));
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static struct text_slice slice_of(struct bytes b)
{
    return (struct text_slice){ b.size ? (const char *)b.p : "", b.size < INT_MAX ? (int)b.size : INT_MAX };
}

/* ---- taking apart ---- */

enum { MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_METADATA = 14, OPSET_DOMAIN = 1, OPSET_VERSION = 2,
       GRAPH_NODE = 1, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, INFO_NAME = 1, INFO_TYPE = 2,
       NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };

struct sizes { int nodes, values, edges, outputs; };

/* Sizes of the graph; negative nodes if there is more than any detector has. */
static struct sizes graph_sizes(struct bytes graph, bool *bad)
{
    struct sizes n = {0};
    struct wire_field f, g;
    while (wire_next(&graph, &f, bad)) {
        n.nodes += f.number == GRAPH_NODE;
        n.outputs += f.number == GRAPH_OUTPUT;
        n.values += f.number == GRAPH_TENSOR || f.number == GRAPH_INPUT;
        while (f.number == GRAPH_NODE && wire_next(&f.bytes, &g, bad)) {
            n.edges += g.number == NODE_INPUT || g.number == NODE_OUTPUT;
            n.values += g.number == NODE_OUTPUT;
        }
        if (n.nodes > ONNX_NODES || n.values > ONNX_VALUES || n.edges > ONNX_VALUES || n.outputs > ONNX_VALUES)
            return (struct sizes){ .nodes = -1 };
    }
    return n;
}

static void add_value(struct onnx_file *file, struct onnx_value value)
{
    file->values[file->value_count++] = value;
}

/* First pass: what there is, by name.  An empty name is an output that nobody wants. */
static void collect(struct onnx_file *file, struct bytes graph)
{
    struct wire_field f, g;
    bool bad = false;
    while (wire_next(&graph, &f, &bad)) {
        struct onnx_value value = { .node = ONNX_NO_VALUE };
        if (f.number == GRAPH_TENSOR) {
            value.name = slice_of(wire_find(f.bytes, 8).bytes);
            value.tensor = f.bytes;
            add_value(file, value);
        } else if (f.number == GRAPH_INPUT) {
            value.name = slice_of(wire_find(f.bytes, INFO_NAME).bytes);
            value.info = f.bytes;
            add_value(file, value);
        } else if (f.number == GRAPH_NODE) {
            struct bytes body = f.bytes;
            value.node = file->node_count;
            file->nodes[file->node_count++].body = body;
            for (; wire_next(&body, &g, &bad); ) {
                if (g.number != NODE_OUTPUT)
                    continue;
                value.name = slice_of(g.bytes);
                add_value(file, value);
                value.output++;
            }
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct onnx_value *x = a, *y = b;
    const int order = compare(x->name, y->name);
    return order ? order : (x->tensor.size == 0) - (y->tensor.size == 0);
}

/* Sorts the values; an input of the graph that is also a tensor is a tensor. */
static bool sort_values(struct onnx_file *file, struct error *err)
{
    int kept = 0;
    qsort(file->values, (size_t)file->value_count, sizeof *file->values, by_name);
    for (int i = 0; i < file->value_count; i++) {
        const struct onnx_value *v = &file->values[i], *before = kept ? &file->values[kept - 1] : NULL;
        if (v->name.size == 0)
            continue;
        if (before && compare(before->name, v->name) == 0) {
            if (before->tensor.size == 0 || v->info.size == 0)
                return fail(err, "%s: there are two values %.*s", file->path, v->name.size, v->name.p);
            continue;
        }
        file->values[kept++] = *v;
    }
    file->value_count = kept;
    return true;
}

static int name_order(const void *name, const void *value)
{
    const struct onnx_value *v = value;
    return compare(*(const struct text_slice *)name, v->name);
}

/* The value of that name; ONNX_NO_VALUE if there is none. */
static int find_value(const struct onnx_file *file, struct text_slice name)
{
    const struct onnx_value *v = file->value_count == 0 || name.size == 0 ? NULL
        : bsearch(&name, file->values, (size_t)file->value_count, sizeof *file->values, name_order);
    return v ? (int)(v - file->values) : ONNX_NO_VALUE;
}

static bool resolve_input(const struct onnx_file *file, int self, struct text_slice name, int *value, struct error *err)
{
    const struct text_slice by = file->nodes[self].name;
    *value = find_value(file, name);
    if (*value == ONNX_NO_VALUE)
        return name.size == 0 || fail(err, "%s: node %.*s reads %.*s, which no node writes", file->path, by.size, by.p,
                                      name.size, name.p);
    return file->values[*value].node < self
        || fail(err, "%s: node %.*s reads %.*s before it is written", file->path, by.size, by.p, name.size, name.p);
}

/* Second pass: what each node reads and writes. */
static bool resolve_node(struct onnx_file *file, int self, int *edges, struct error *err)
{
    struct onnx_node *node = &file->nodes[self];
    struct wire_field f;
    bool bad = false;
    node->op = slice_of(wire_find(node->body, NODE_OP).bytes);
    node->name = slice_of(wire_find(node->body, NODE_NAME).bytes);
    if (node->name.size == 0)
        node->name = slice_of(wire_find(node->body, NODE_OUTPUT).bytes);
    const struct text_slice domain = slice_of(wire_find(node->body, NODE_DOMAIN).bytes);
    if (domain.size && !slice_is(domain, "ai.onnx"))
        return fail(err, "%s: node %.*s is %.*s of %.*s, no standard operator", file->path, node->name.size,
                    node->name.p, node->op.size, node->op.p, domain.size, domain.p);
    for (int pass = NODE_INPUT; pass <= NODE_OUTPUT; pass++) {
        int *count = pass == NODE_INPUT ? &node->input_count : &node->output_count;
        *(pass == NODE_INPUT ? &node->inputs : &node->outputs) = edges;
        for (struct bytes body = node->body; wire_next(&body, &f, &bad); ) {
            if (f.number != pass)
                continue;
            if (pass == NODE_OUTPUT)
                *edges = find_value(file, slice_of(f.bytes));
            else if (!resolve_input(file, self, slice_of(f.bytes), edges, err))
                return false;
            edges++;
            ++*count;
        }
    }
    return node->output_count <= ONNX_NODE_OUTPUTS
        || fail(err, "%s: node %.*s has %d outputs", file->path, node->name.size, node->name.p, node->output_count);
}

static bool resolve(struct onnx_file *file, struct bytes graph, struct error *err)
{
    struct wire_field f;
    bool bad = false;
    int *edges = file->edges;
    for (int i = 0; i < file->node_count; i++) {
        if (!resolve_node(file, i, edges, err))
            return false;
        edges += file->nodes[i].input_count + file->nodes[i].output_count;
    }
    while (wire_next(&graph, &f, &bad)) {
        if (f.number != GRAPH_OUTPUT)
            continue;
        const struct text_slice name = slice_of(wire_find(f.bytes, INFO_NAME).bytes);
        const int value = find_value(file, name);
        if (value == ONNX_NO_VALUE)
            return fail(err, "%s: its output %.*s is written by nothing", file->path, name.size, name.p);
        file->outputs[file->output_count++] = value;
    }
    return true;
}

static int standard_opset(struct bytes model)
{
    struct wire_field f;
    bool bad = false;
    uint64_t version = 0;
    while (wire_next(&model, &f, &bad))
        if (f.number == MODEL_OPSET) {
            const struct text_slice domain = slice_of(wire_find(f.bytes, OPSET_DOMAIN).bytes);
            if (domain.size == 0 || slice_is(domain, "ai.onnx"))
                version = wire_find(f.bytes, OPSET_VERSION).value;
        }
    return version < 1000 ? (int)version : 0;
}

bool onnx_open(struct onnx_file *file, struct bytes model, const char *path, struct error *err)
{
    bool bad = false;
    struct wire_field f;
    struct bytes graph = wire_find(model, MODEL_GRAPH).bytes;
    *file = (struct onnx_file){ .path = path, .model = model, .opset = standard_opset(model) };
    for (struct bytes whole = model; wire_next(&whole, &f, &bad); )
        ;
    const struct sizes n = graph_sizes(graph, &bad);
    if (bad || graph.size == 0)
        return fail(err, "%s: is not an ONNX model, or damaged (%zu bytes)", path, model.size);
    if (n.nodes < 0)
        return fail(err, "%s: more than %d nodes or %d values, which no detector has", path, ONNX_NODES, ONNX_VALUES);
    if (file->opset < 7)
        return fail(err, "%s: does not say that it is written for operators of version 7 or later", path);
    file->nodes = new_array((size_t)n.nodes, sizeof *file->nodes, err);
    file->values = new_array((size_t)n.values, sizeof *file->values, err);
    file->edges = new_array((size_t)n.edges, sizeof *file->edges, err);
    file->outputs = new_array((size_t)n.outputs, sizeof *file->outputs, err);
    if (!file->nodes || !file->values || !file->edges || !file->outputs)
        return false;
    file->edge_count = n.edges;
    collect(file, graph);
    return sort_values(file, err) && resolve(file, graph, err);
}

void onnx_close(struct onnx_file *file)
{
    free(file->nodes);
    free(file->values);
    free(file->edges);
    free(file->outputs);
    *file = (struct onnx_file){0};
}

/* ---- attributes and declarations ---- */

enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT = 4, ATTRIBUTE_TENSOR = 5,
       ATTRIBUTE_INTS = 8 };

static struct bytes attribute(const struct onnx_node *node, const char *name)
{
    struct wire_field f;
    bool bad = false;
    for (struct bytes body = node->body; wire_next(&body, &f, &bad); )
        if (f.number == NODE_ATTRIBUTE && slice_is(slice_of(wire_find(f.bytes, ATTRIBUTE_NAME).bytes), name))
            return f.bytes;
    return (struct bytes){0};
}

int64_t onnx_int(const struct onnx_node *node, const char *name, int64_t absent)
{
    const struct bytes a = attribute(node, name);
    return a.size ? (int64_t)wire_find(a, ATTRIBUTE_INT).value : absent;     /* a 0 need not be written */
}

double onnx_float(const struct onnx_node *node, const char *name, double absent)
{
    const struct bytes a = attribute(node, name);
    return a.size ? (double)wire_float(wire_find(a, ATTRIBUTE_FLOAT).value) : absent;
}

bool onnx_says(const struct onnx_node *node, const char *name, const char *text, bool absent)
{
    const struct bytes a = attribute(node, name);
    return a.size ? slice_is(slice_of(wire_find(a, ATTRIBUTE_TEXT).bytes), text) : absent;
}

struct bytes onnx_tensor_attribute(const struct onnx_node *node, const char *name)
{
    return wire_find(attribute(node, name), ATTRIBUTE_TENSOR).bytes;
}

int onnx_ints(const struct onnx_node *node, const char *name, int64_t *out, int max)
{
    const struct bytes a = attribute(node, name);
    const int64_t count = a.size ? wire_numbers(a, ATTRIBUTE_INTS, WIRE_VARINT, (uint64_t *)out, max) : -1;
    return count <= max ? (int)count : -1;
}

int onnx_dims(struct bytes info, int64_t *dims, int max)
{
    const struct bytes tensor_type = wire_find(wire_find(info, INFO_TYPE).bytes, 1).bytes;
    struct bytes shape = wire_find(tensor_type, 2).bytes;
    struct wire_field f;
    bool bad = false;
    int rank = 0;
    while (wire_next(&shape, &f, &bad))
        if (f.number == 1) {
            if (rank == max)
                return -1;
            const int64_t extent = (int64_t)wire_find(f.bytes, 1).value;
            dims[rank++] = extent > 0 ? extent : 0;
        }
    return tensor_type.size ? rank : -1;
}

bool onnx_load_metadata(const struct onnx_file *file, struct tensors *out, struct error *err)
{
    struct wire_field f;
    bool bad = false, ok = true;
    for (struct bytes model = file->model; ok && wire_next(&model, &f, &bad); ) {
        if (f.number != MODEL_METADATA)
            continue;
        const struct text_slice key = slice_of(wire_find(f.bytes, 1).bytes), value = slice_of(wire_find(f.bytes,
                                                                                                        2).bytes);
        struct strbuf k = {0}, v = {0};
        strbuf_add(&k, key.p, (size_t)key.size);
        strbuf_add(&v, value.p, (size_t)value.size);
        ok = strbuf_check(&k, err) && strbuf_check(&v, err) && tensors_add_metadata(out, k.s, v.s, err);
        strbuf_free(&k);
        strbuf_free(&v);
    }
    return ok;
}
