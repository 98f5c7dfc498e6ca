#include "interop/onnx.h"

#include "base/memory.h"
#include "base/table.h"
#include "base/wire.h"
#include "interop/onnx_reader.h"
#include <stdlib.h>
#include <string.h>

enum { WORK = 1 << 24,                                  /* numbers that constants may take to compute */
       SIDE = 320, SIDE_MOST = 1 << 14, IMAGES_MOST = 1 << 10,
       HEADS = 2 * LAYER_OPERANDS };

/* ---- what the handlers use ---- */

bool node_fails(const struct reader *r, const struct onnx_node *node, const char *text)
{
    return fail(r->err, "%s: node %.*s (%.*s): %s", r->file.path, node->name.size, node->name.p, node->op.size,
                node->op.p, text);
}

bool reader_spend(struct reader *r, const struct onnx_node *node, size_t numbers)
{
    if (numbers > r->work)
        return node_fails(r, node, "more arithmetic on constants than any detector has");
    r->work -= numbers;
    return true;
}

struct seen *node_input(const struct reader *r, const struct onnx_node *node, int i)
{
    return i < node->input_count && node->inputs[i] != ONNX_NO_VALUE ? &r->seen[node->inputs[i]] : NULL;
}

const struct tensor *node_constant(const struct reader *r, const struct onnx_node *node, int i)
{
    const struct seen *seen = node_input(r, node, i);
    return seen && seen->kind == SEEN_CONSTANT ? &seen->constant : NULL;
}

int node_ints(const struct reader *r, const struct onnx_node *node, int i, const char *attribute, int64_t *out,
              int most)
{
    const struct tensor *t = node_constant(r, node, i);
    if (!node_input(r, node, i))
        return onnx_ints(node, attribute, out, most);
    if (!t || t->rank > 1 || tensor_count(t) > (size_t)most || (t->dtype != DTYPE_I64 && t->dtype != DTYPE_I32))
        return -1;
    for (size_t k = 0; k < tensor_count(t); k++) {
        int32_t narrow;
        if (t->dtype == DTYPE_I64)
            memcpy(&out[k], t->data + 8 * k, 8);
        else {
            memcpy(&narrow, t->data + 4 * k, 4);
            out[k] = narrow;
        }
    }
    return (int)tensor_count(t);
}

struct seen *node_value(struct reader *r, const struct onnx_node *node, int i)
{
    struct seen *seen = node_input(r, node, i);
    if (seen && seen->kind == SEEN_MAP)
        return seen;
    node_fails(r, node, "an operand that is no map");
    return NULL;
}

struct seen *node_map(struct reader *r, const struct onnx_node *node, int i)
{
    struct seen *seen = node_value(r, node, i);
    if (!seen || !seen_settle(r, node, seen))
        return NULL;
    if (view_is_plain(&seen->view, &r->places[seen->layer].map))
        return seen;
    node_fails(r, node, "a map whose numbers are in another order");
    return NULL;
}

void set_view(struct reader *r, const struct onnx_node *node, const struct seen *seen)
{
    const int value = node->output_count ? node->outputs[0] : ONNX_NO_VALUE;
    if (value == ONNX_NO_VALUE)
        return;
    r->seen[value] = *seen;
    r->seen[value].kind = SEEN_MAP;
    r->places[seen->layer].readers += r->readers[value];
    if (node_input(r, node, 0) && node_input(r, node, 0)->layer == seen->layer)
        r->places[seen->layer].readers--;                       /* the node itself is none of them */
}

bool set_layer(struct reader *r, const struct onnx_node *node, int i, int layer)
{
    const int value = i < node->output_count ? node->outputs[i] : ONNX_NO_VALUE;
    if (layer < 0 || value == ONNX_NO_VALUE)
        return layer >= 0;
    r->seen[value] = (struct seen){ .kind = SEEN_MAP, .layer = layer, .view = view_of(&r->places[layer].map),
                                    .form = plain_form };
    r->places[layer].readers += r->readers[value];
    return true;
}

/* As the state_dict calls it, where a weight says so; without the number that our own files end it with. */
static struct slice layer_name(const struct reader *r, const struct onnx_node *node)
{
    static const char ending[] = ".weight";
    const int size = (int)sizeof ending - 1;
    struct slice name = node->name;
    if (node_constant(r, node, 1))
        name = r->file.values[node_input(r, node, 1)->origin].name;
    if (name.size > size && memcmp(name.p + name.size - size, ending, (size_t)size) == 0)
        return (struct slice){ name.p, name.size - size };
    name = node->name;
    while (name.size > 0 && name.p[name.size - 1] >= '0' && name.p[name.size - 1] <= '9')
        name.size--;
    return name.size > 1 && name.size < node->name.size && name.p[name.size - 1] == '/'
         ? (struct slice){ name.p, name.size - 1 } : node->name;
}

int add_layer(struct reader *r, const struct onnx_node *node, enum layer_kind kind, const int *operands, int count,
              struct map map, double stride)
{
    const struct slice name = node ? layer_name(r, node) : (struct slice){ "", 0 };
    struct text text = {0};
    text_bytes(&text, name.p, (size_t)name.size);
    if (map.extent[AXIS_C] > VIEW_EXTENT || map.extent[AXIS_Y] > SIDE_MOST || map.extent[AXIS_X] > SIDE_MOST)
        fail(r->err, "%s: node %s: a map larger than any that a detector has", r->file.path, text.s ? text.s : "");
    else if (text_ok(&text, r->err)
             && grow_array(&r->places, r->place_count, &r->place_capacity, sizeof *r->places, r->err)) {
        const int layer = network_add(r->net, kind, text.s ? text.s : "", operands, count, r->err);
        text_free(&text);
        if (layer >= 0)
            r->places[r->place_count++] = (struct place){ map, stride, 0 };
        return layer;
    }
    text_free(&text);
    return -1;
}

bool name_weights(struct reader *r, int weights, int value)
{
    const struct slice name = r->file.values[value].name;
    struct tensor *t = &r->net->weights.list[weights];
    char *copy = r->weight_of[value] == NO_TENSOR ? new_array((size_t)name.size + 1, 1, r->err) : NULL;
    if (!copy)
        return r->weight_of[value] != NO_TENSOR;
    memcpy(copy, name.p, (size_t)name.size);
    free(t->name);
    t->name = copy;
    r->weight_of[value] = weights;
    return true;
}

int weights_of_input(struct reader *r, const struct onnx_node *node, int i, int rank, const size_t *dims)
{
    const struct seen *seen = node_input(r, node, i);
    const struct tensor *t = node_constant(r, node, i);
    bool fits = t && t->rank == rank && dtype_bytes(t->dtype) > 1;
    for (int k = 0; fits && k < rank; k++)
        fits = t->dims[k] == dims[k];
    if (!fits)
        return node_fails(r, node, "weights that are not constant or do not fit") - 1;
    if (r->weight_of[seen->origin] != NO_TENSOR)
        return r->weight_of[seen->origin];
    struct tensor mine = *t;
    mine.name = "";
    if (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16) {
        float *p = reader_spend(r, node, tensor_count(t))
                 ? tensors_block(&r->net->weights, tensor_count(t), sizeof *p, r->err) : NULL;
        if (!p)
            return NO_TENSOR;
        tensor_floats(t, p);
        mine.dtype = DTYPE_F32;
        mine.data = (unsigned char *)p;
    }
    const int weights = tensors_add(&r->net->weights, &mine, r->err) ? r->net->weights.count - 1 : NO_TENSOR;
    return weights != NO_TENSOR && name_weights(r, weights, seen->origin) ? weights : NO_TENSOR;
}

const void *node_row(const struct onnx_node *node, const void *rows, size_t size)
{
    char name[32];
    if (node->op.size >= (int)sizeof name)
        return NULL;
    memcpy(name, node->op.p, (size_t)node->op.size);
    name[node->op.size] = 0;
    return find_row(name, rows, size);
}

/* ---- one node after another ---- */

static bool read_node(struct reader *r, const struct onnx_node *node)
{
    static const struct handler *const tables[] = { layer_handlers, form_handlers, elementwise_handlers,
                                                    reorder_handlers };
    bool known;
    if (!fold_node(r, node, &known) || known)
        return r->seen[node->outputs[0]].kind == SEEN_CONSTANT;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct handler *found = node_row(node, tables[i], sizeof *found);
        if (found)
            return found->read(r, node);
    }
    return node_fails(r, node, "no layer of these detectors does this");
}

/* Nothing is known of inputs that do not say it: one image of a usual size stands for all. */
static bool read_input(struct reader *r, int value)
{
    const struct onnx_value *v = &r->file.values[value];
    int64_t dims[AXES];
    if (onnx_dims(v->info, dims, AXES) != AXES || (dims[1] && dims[1] != 3) || dims[0] > IMAGES_MOST
        || dims[2] > SIDE_MOST || dims[3] > SIDE_MOST)
        return fail(r->err, "%s: its input %.*s is no image [n][3][h][w]", r->file.path, v->name.size, v->name.p);
    if (r->net->count)
        return fail(r->err, "%s: has two inputs", r->file.path);
    r->net->input_h = (int)dims[2];
    r->net->input_w = (int)dims[3];
    const struct map map = {{ dims[0] ? (int)dims[0] : 1, 3, dims[2] ? (int)dims[2] : SIDE,
                              dims[3] ? (int)dims[3] : SIDE }};
    const int layer = add_layer(r, NULL, LAYER_INPUT, NULL, 0, map, 1);
    if (layer < 0)
        return false;
    r->seen[value] = (struct seen){ .kind = SEEN_MAP, .layer = layer, .view = view_of(&map), .form = plain_form };
    r->places[layer].readers = r->readers[value];
    return true;
}

static bool read_tensor(struct reader *r, int value)
{
    const struct onnx_value *v = &r->file.values[value];
    struct seen *seen = &r->seen[value];
    struct error why = {0};
    *seen = (struct seen){ .kind = SEEN_CONSTANT, .origin = value };
    return onnx_tensor(&seen->constant, v->tensor, &r->net->weights, &why)
        || fail(r->err, "%s: %.*s: %s", r->file.path, v->name.size, v->name.p, why.text);
}

/* ---- where the raw predictions are ---- */

struct head { int value; bool sigmoid; int layer; };

struct search {
    struct head head[HEADS]; int heads;
    int64_t from, to; bool cut;                 /* channels that alone pass through the sigmoid */
};

/* The convolution that writes the value is a prediction, together with a factor that follows it. */
static bool add_head(const struct reader *r, const int *reader, struct search *s, int value, bool sigmoid)
{
    for (int next = reader[value]; next >= 0 && r->readers[value] == 1; next = reader[value]) {
        const struct onnx_node *node = &r->file.nodes[next];
        const bool factor = slice_is(node->op, "Mul") || slice_is(node->op, "BatchNormalization");
        if (!factor || node->outputs[0] == ONNX_NO_VALUE
            || !(node_constant(r, node, 1) || node_constant(r, node, 0)))
            break;
        value = node->outputs[0];
    }
    int i = 0;
    while (i < s->heads && s->head[i].value != value)
        i++;
    if (i == HEADS)
        return fail(r->err, "%s: more predictions than detectors have", r->file.path);
    s->heads += i == s->heads;
    s->head[i].value = value;
    s->head[i].sigmoid = s->head[i].sigmoid || sigmoid;
    return true;
}

/* Remembers which part of a value the output i of a node is. */
static void note_cut(const struct reader *r, struct search *s, const struct onnx_node *node, int output)
{
    int64_t part[ONNX_NODE_OUTPUTS], from[1], to[1];
    if (slice_is(node->op, "Split")) {
        const int parts = node_ints(r, node, 1, "split", part, ONNX_NODE_OUTPUTS);
        s->from = 0;
        for (int i = 0; i < output && i < parts; i++)
            s->from += part[i];
        s->cut = output < parts;
        s->to = s->cut ? s->from + part[output] : 0;
    } else if (slice_is(node->op, "Slice") && node_ints(r, node, 1, "starts", from, 1) == 1
               && node_ints(r, node, 2, "ends", to, 1) == 1) {
        s->from = *from;
        s->to = *to;
        s->cut = true;
    }
}

/* Walks from the outputs back to the first convolution on each way.  What lies behind it is the network, what lies
 * before it turns predictions into whatever the file offers. */
static bool search_heads(const struct reader *r, const int *reader, int *stack, unsigned char *been, struct search *s)
{
    int depth = 0;
    for (int i = r->file.output_count; i-- > 0; )
        stack[depth++] = 2 * r->file.outputs[i];
    while (depth > 0) {
        const int top = stack[--depth], value = top / 2;
        const struct onnx_value *v = &r->file.values[value];
        bool sigmoid = top % 2;
        if (v->node == ONNX_NO_VALUE || been[value] >> sigmoid & 1)
            continue;
        been[value] |= (unsigned char)(1 << sigmoid);
        const struct onnx_node *node = &r->file.nodes[v->node];
        if (slice_is(node->op, "Conv")) {
            if (!add_head(r, reader, s, value, sigmoid))
                return false;
            continue;
        }
        if (slice_is(node->op, "Shape"))
            continue;
        if (sigmoid && !s->cut)
            note_cut(r, s, node, v->output);
        sigmoid = sigmoid || slice_is(node->op, "Sigmoid");
        for (int i = node->input_count; i-- > 0; )
            if (node->inputs[i] != ONNX_NO_VALUE && !(been[node->inputs[i]] >> sigmoid & 1))
                stack[depth++] = 2 * node->inputs[i] + sigmoid;
    }
    return s->heads > 0 || fail(r->err, "%s: no convolution leads to its outputs", r->file.path);
}

/* Which nodes the predictions depend on. */
static void mark_needed(const struct reader *r, const struct search *s, bool *needed)
{
    for (int i = 0; i < s->heads; i++)
        needed[r->file.values[s->head[i].value].node] = true;
    for (int i = r->file.node_count; i-- > 0; )
        for (int k = 0; needed[i] && k < r->file.nodes[i].input_count; k++) {
            const int value = r->file.nodes[i].inputs[k];
            if (value != ONNX_NO_VALUE && r->file.values[value].node != ONNX_NO_VALUE)
                needed[r->file.values[value].node] = true;
        }
}

/* ---- levels ---- */

static int by_stride(const struct reader *r, const struct head *a, const struct head *b)
{
    const double x = r->places[a->layer].stride, y = r->places[b->layer].stride;
    return x != y ? x < y ? -1 : 1 : b->sigmoid - a->sigmoid;
}

/* The predictions of a level are those of one stride; classes stand before distances. */
static bool set_outputs(struct reader *r, struct search *s)
{
    struct network *net = r->net;
    for (int i = 1; i < s->heads; i++)                          /* few: insertion keeps the order of equals */
        for (int k = i; k > 0 && by_stride(r, &s->head[k], &s->head[k - 1]) < 0; k--) {
            const struct head swap = s->head[k];
            s->head[k] = s->head[k - 1];
            s->head[k - 1] = swap;
        }
    for (int i = 0, n; i < s->heads; i += n) {
        const int of[] = { s->head[i].layer, i + 1 < s->heads ? s->head[i + 1].layer : 0 };
        struct place place = r->places[of[0]];
        n = i + 1 < s->heads && r->places[of[1]].stride == place.stride ? 2 : 1;
        const int channels = place.map.extent[AXIS_C];
        if (net->output_count == LAYER_OPERANDS || !(place.stride >= 1 && place.stride <= VIEW_EXTENT)
            || (i + 2 < s->heads && n == 2 && r->places[s->head[i + 2].layer].stride == place.stride))
            return fail(r->err, "%s: its predictions are not those of a few levels", r->file.path);
        place.map.extent[AXIS_C] += n == 2 ? r->places[of[1]].map.extent[AXIS_C] : 0;
        const int layer = n == 1 ? of[0]
                        : add_layer(r, NULL, LAYER_CONCAT, of, 2, place.map, place.stride);
        if (layer < 0)
            return false;
        int classes = n == 2 ? channels : s->cut ? (int)((s->to < 0 ? s->to + channels : s->to) - s->from) : 0;
        const int bins = place.map.extent[AXIS_C] - classes;
        if (classes < 0 || (classes && (bins <= 0 || bins % 4)) || (i && classes != net->classes))
            return fail(r->err, "%s: a level of %d channels, %d of them classes", r->file.path,
                        place.map.extent[AXIS_C], classes);
        net->classes = classes;
        net->reg_max = classes ? bins / 4 - 1 : 0;
        net->strides[net->output_count] = (int)place.stride;
        net->outputs[net->output_count++] = layer;
    }
    return true;
}

/* ---- all of it ---- */

static bool read_all(struct reader *r, int *reader, int *stack, unsigned char *been, bool *needed)
{
    struct onnx_file *file = &r->file;
    struct search search = {0};
    struct error *err = r->err, none = {0};
    for (int i = 0; i < file->node_count; i++)
        for (int k = 0; k < file->nodes[i].input_count; k++)
            if (file->nodes[i].inputs[k] != ONNX_NO_VALUE) {
                r->readers[file->nodes[i].inputs[k]]++;
                reader[file->nodes[i].inputs[k]] = i;
            }
    for (int i = 0; i < file->value_count; i++) {
        r->weight_of[i] = NO_TENSOR;
        if (file->values[i].tensor.size && !read_tensor(r, i))
            return false;
        if (file->values[i].info.size && !read_input(r, i))
            return false;
    }
    if (r->net->count == 0)
        return fail(err, "%s: has no input", file->path);
    r->err = &none;
    for (int i = 0; i < file->node_count; i++) {                /* what fails here may not be needed */
        bool known;
        fold_node(r, &file->nodes[i], &known);
    }
    r->err = err;
    if (!search_heads(r, reader, stack, been, &search))
        return false;
    mark_needed(r, &search, needed);
    for (int i = 0; i < file->node_count; i++)
        if (needed[i] && !read_node(r, &file->nodes[i]))
            return false;
    for (int i = 0; i < search.heads; i++) {
        struct seen *seen = &r->seen[search.head[i].value];
        if (!seen_settle(r, &file->nodes[file->values[search.head[i].value].node], seen))
            return false;
        search.head[i].layer = seen->layer;
    }
    return set_outputs(r, &search) && onnx_metadata(file, &r->net->weights, err);
}

bool onnx_read(struct network *net, struct bytes bytes, const char *path, struct error *err)
{
    struct reader r = { .net = net, .work = WORK, .err = err };
    *net = (struct network){0};
    bool ok = onnx_open(&r.file, bytes, path, err);
    const size_t values = (size_t)r.file.value_count, edges = (size_t)r.file.edge_count;
    int *reader = ok ? new_array(values, sizeof *reader, err) : NULL;
    int *stack = reader ? new_array(2 * (edges + (size_t)r.file.output_count), sizeof *stack, err) : NULL;
    unsigned char *been = stack ? new_array(values, 1, err) : NULL;
    bool *needed = been ? new_array((size_t)r.file.node_count, sizeof *needed, err) : NULL;
    r.seen = needed ? new_array(values, sizeof *r.seen, err) : NULL;
    r.weight_of = r.seen ? new_array(values, sizeof *r.weight_of, err) : NULL;
    r.readers = r.weight_of ? new_array(values, sizeof *r.readers, err) : NULL;
    ok = r.readers && read_all(&r, reader, stack, been, needed) && network_check(net, path, err);
    free(reader);
    free(stack);
    free(been);
    free(needed);
    free(r.seen);
    free(r.weight_of);
    free(r.readers);
    free(r.places);
    onnx_close(&r.file);
    return ok;
}

bool onnx_recognises(struct bytes file)
{
    struct wire_field f;
    bool bad = false;
    int version = 0, graphs = 0;
    while (wire_next(&file, &f, &bad)) {
        version += f.number == 1 && f.type == WIRE_VARINT;
        graphs += f.number == 7 && f.type == WIRE_BYTES;
    }
    return !bad && version > 0 && graphs > 0;
}
