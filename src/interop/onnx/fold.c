/* Constant folding: exporters without constant folding write out how they compute shapes, sizes and weights.
 * Results are doubles, or 64-bit integers if all operands are integers. */
#include "base/file.h"
#include "interop/onnx/fold.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 64 };                                /* max length of a list of starts, axes, extents */

static bool is_whole(const struct tensor *t) { return t->dtype < DTYPE_F16; }

static int64_t whole(double v) { return v > 0x1p62 ? INT64_MAX : v < -0x1p62 ? INT64_MIN : v == v ? (int64_t)v : 0; }

double tensor_single(const struct tensor *t)
{
    double v = NAN;
    if (tensor_count(t) == 1)
        tensor_doubles(t, &v);
    return v;
}

/* The constant as doubles; the caller frees it. */
static double *load(struct onnx_reader *r, const struct onnx_node *node, const struct tensor *t)
{
    double *x = reader_spend(r, node, tensor_count(t)) ? new_array(tensor_count(t), sizeof *x, r->err) : NULL;
    if (x)
        tensor_doubles(t, x);
    return x;
}

/* Sets output 0 to the tensor. */
static bool set_tensor(struct onnx_reader *r, const struct onnx_node *node, const struct tensor *t)
{
    r->values[node->outputs[0]] = (struct read_value){ .kind = VALUE_CONSTANT, .constant = *t,
                                                       .origin = node->outputs[0] };
    return true;
}

/* Allocates output 0 with the type and extents of shape; NULL on failure. */
static double *new_result(struct onnx_reader *r, const struct onnx_node *node, const struct tensor *shape)
{
    size_t count = 1;
    bool fits = true;
    for (int i = 0; i < shape->rank; i++)
        fits = fits && checked_mul(count, shape->dims[i], &count);
    if (!reader_spend(r, node, fits ? count : SIZE_MAX))
        return NULL;
    double *y = tensors_block(&r->net->weights, count, sizeof *y, r->err);
    if (y) {
        struct tensor t = *shape;
        t.data = (unsigned char *)y;
        t.dtype = is_whole(shape) ? DTYPE_I64 : DTYPE_F64;
        set_tensor(r, node, &t);
    }
    return y;
}

/* Completes new_result: truncates and stores integers. */
static bool finish_result(struct onnx_reader *r, const struct onnx_node *node, double *y)
{
    const struct tensor *t = &r->values[node->outputs[0]].constant;
    for (size_t i = 0; t->dtype == DTYPE_I64 && i < tensor_count(t); i++) {
        const int64_t v = whole(y[i]);
        memcpy(&y[i], &v, sizeof v);
    }
    return true;
}

bool set_constant(struct onnx_reader *r, const struct onnx_node *node, const int64_t *numbers, int count)
{
    double *y = new_result(r, node, &(struct tensor){ .dtype = DTYPE_I64, .rank = 1, .dims = { (size_t)count } });
    for (int i = 0; y && i < count; i++)
        y[i] = (double)numbers[i];
    return y && finish_result(r, node, y);
}

/* ---- strided copies: y[i] = x[base + sum of step * index] ---- */

struct walk { int64_t base, step[RANK_MAX]; };

static void walk_steps(const struct tensor *t, struct walk *walk)
{
    int64_t step = 1;
    *walk = (struct walk){0};
    for (int i = t->rank; i-- > 0; step *= (int64_t)t->dims[i])
        walk->step[i] = step;
}

static size_t walk_at(const struct walk *walk, const struct tensor *out, size_t i)
{
    int64_t at = walk->base;
    for (int d = out->rank; d-- > 0; i /= out->dims[d])
        at += walk->step[d] * (int64_t)(i % out->dims[d]);
    return (size_t)at;
}

static bool take(struct onnx_reader *r, const struct onnx_node *node, const struct tensor *x,
                 const struct tensor *shape,
                 const struct walk *walk)
{
    double *from = load(r, node, x), *y = from ? new_result(r, node, shape) : NULL;
    for (size_t i = 0; y && i < tensor_count(shape); i++)
        y[i] = from[walk_at(walk, shape, i)];
    free(from);
    return y && finish_result(r, node, y);
}

static bool axis_of(int64_t axis, int rank, int *out)
{
    *out = (int)(axis < 0 ? axis + rank : axis);
    return axis >= -rank && axis < rank;
}

static bool fold_transpose(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    struct tensor shape = *x;
    struct walk from, walk = {0};
    int64_t order[RANK_MAX];
    const int count = onnx_ints(node, "perm", order, RANK_MAX);
    walk_steps(x, &from);
    for (int i = 0, axis; i < x->rank; i++) {
        if (!axis_of(count < 0 ? x->rank - 1 - i : i < count ? order[i] : RANK_MAX, x->rank, &axis))
            return fail_node(r, node, "an invalid perm of a transpose");
        shape.dims[i] = x->dims[axis];
        walk.step[i] = from.step[axis];
    }
    return take(r, node, x, &shape, &walk);
}

static bool fold_slice(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    struct tensor shape = *x;
    struct walk walk;
    int64_t start[RANK_MAX], end[RANK_MAX], axes[RANK_MAX], steps[RANK_MAX];
    const int count = node_ints(r, node, 1, "starts", start, RANK_MAX);
    const int given = node_ints(r, node, 3, "axes", axes, RANK_MAX), by = node_ints(r, node, 4, "", steps, RANK_MAX);
    bool ok = count >= 0 && node_ints(r, node, 2, "ends", end, RANK_MAX) == count && (given < 0 || given == count)
           && (by < 0 || by == count);
    walk_steps(x, &walk);
    for (int i = 0, axis; ok && i < count; i++) {
        ok = axis_of(given < 0 ? i : axes[i], x->rank, &axis) && (by < 0 || steps[i] == 1);
        if (!ok)
            break;
        const int64_t extent = (int64_t)shape.dims[axis];
        const int64_t from = start[i] < 0 ? (start[i] < -extent ? 0 : start[i] + extent) : start[i];
        const int64_t to = end[i] < 0 ? end[i] < -extent ? 0 : end[i] + extent : end[i] < extent ? end[i] : extent;
        walk.base += walk.step[axis] * (from < to ? from : 0);
        shape.dims[axis] = (size_t)(from < to ? to - from : 0);
    }
    return ok ? take(r, node, x, &shape, &walk) : fail_node(r, node, "an unsupported slice of constants");
}

static bool fold_gather(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0), *index = node_constant(r, node, 1);
    int axis;
    if (!axis_of(onnx_int(node, "axis", 0), x->rank, &axis) || !index || index->rank > 1)
        return fail_node(r, node, "an unsupported gather of constants");
    struct tensor shape = *x;
    struct walk walk;
    walk_steps(x, &walk);
    if (tensor_count(index) == 1) {                     /* one index: its dimension is removed, or has extent 1 */
        const double at = tensor_single(index), extent = (double)x->dims[axis];
        if (!(at >= -extent && at < extent))
            return fail_node(r, node, "an index out of range");
        walk.base = walk.step[axis] * (int64_t)(at < 0 ? at + extent : at);
        shape.dims[axis] = 1;
        if (index->rank == 0) {
            shape.rank--;
            memmove(&shape.dims[axis], &shape.dims[axis + 1], (size_t)(shape.rank - axis) * sizeof *shape.dims);
            memmove(&walk.step[axis], &walk.step[axis + 1], (size_t)(shape.rank - axis) * sizeof *walk.step);
        }
        return take(r, node, x, &shape, &walk);
    }
    int64_t list[LIST_MAX];
    const int count = node_ints(r, node, 1, "", list, LIST_MAX);
    if (x->rank != 1 || count < 0)
        return fail_node(r, node, "an unsupported gather of constants");
    double *from = load(r, node, x);
    shape.dims[0] = (size_t)count;
    double *y = from ? new_result(r, node, &shape) : NULL;
    bool ok = y;
    for (int i = 0, at; ok && i < count; i++)
        if ((ok = axis_of(list[i], (int)x->dims[0], &at)))
            y[i] = from[at];
    free(from);
    return ok ? finish_result(r, node, y) : y ? fail_node(r, node, "an index out of range") : false;
}

static bool fold_concat(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *first = node_constant(r, node, 0);
    struct tensor shape = *first;
    int axis;
    size_t inner = 1, outer = 1, done = 0;
    if (!axis_of(onnx_int(node, "axis", 0), first->rank, &axis))
        return fail_node(r, node, "an invalid axis of a concat");
    for (int i = 1; i < node->input_count; i++) {
        const struct tensor *t = node_constant(r, node, i);
        for (int d = 0; d < first->rank; d++)
            if (t->rank != first->rank || (d != axis && t->dims[d] != first->dims[d]))
                return fail_node(r, node, "a concat of constants with different shapes");
        if (!checked_add(shape.dims[axis], t->dims[axis], &shape.dims[axis]))
            return fail_node(r, node, "a concat too large");
    }
    double *y = new_result(r, node, &shape);
    for (int d = 0; y && d < first->rank; d++)
        *(d < axis ? &outer : &inner) *= first->dims[d] && d != axis ? first->dims[d] : 1;
    for (int i = 0; y && i < node->input_count; i++) {
        const struct tensor *t = node_constant(r, node, i);
        double *x = load(r, node, t);
        const size_t run = t->dims[axis] * inner, all = shape.dims[axis] * inner;
        for (size_t o = 0; x && tensor_count(t) && o < outer; o++)
            memcpy(y + o * all + done, x + o * run, run * sizeof *y);
        done += run;
        y = x ? y : NULL;
        free(x);
    }
    return y && finish_result(r, node, y);
}

/* ---- reshapes ---- */

static bool reshaped(struct onnx_reader *r, const struct onnx_node *node, struct tensor t, const int64_t *dims,
                     int rank)
{
    const size_t count = tensor_count(&t);
    size_t known = 1;
    int open = -1;
    bool ok = rank >= 0 && rank <= RANK_MAX;
    for (int i = 0; ok && i < rank; i++) {
        const size_t same = i < t.rank ? node_constant(r, node, 0)->dims[i] : 0;
        t.dims[i] = dims[i] > 0 ? (size_t)dims[i] : same;
        ok = dims[i] >= 0 ? checked_mul(known, t.dims[i], &known) : dims[i] == -1 && open < 0;
        open = dims[i] == -1 ? i : open;
    }
    if (ok && open >= 0 && known > 0 && count % known == 0)
        t.dims[open] = count / known;
    else
        ok = ok && open < 0 && known == count;
    t.rank = rank;
    return ok ? set_tensor(r, node, &t) : fail_node(r, node, "a reshape of a constant to another number of elements");
}

static bool fold_reshape(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t dims[RANK_MAX];
    const int rank = node_ints(r, node, 1, "shape", dims, RANK_MAX);
    return reshaped(r, node, *node_constant(r, node, 0), dims, rank);
}

static bool fold_squeeze(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    int64_t axes[RANK_MAX], dims[RANK_MAX];
    const int count = node_ints(r, node, 1, "axes", axes, RANK_MAX);
    int rank = 0;
    for (int d = 0; d < x->rank; d++) {
        bool gone = count < 0 && x->dims[d] == 1;
        for (int i = 0, axis; i < count; i++)
            gone = gone || (axis_of(axes[i], x->rank, &axis) && axis == d);
        if (!gone)
            dims[rank++] = (int64_t)x->dims[d];
    }
    return reshaped(r, node, *x, dims, rank);
}

static bool fold_unsqueeze(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    int64_t axes[RANK_MAX], dims[RANK_MAX];
    const int count = node_ints(r, node, 1, "axes", axes, RANK_MAX), rank = x->rank + count;
    bool ok = count >= 0 && rank <= RANK_MAX;
    int next = 0;
    for (int d = 0; ok && d < rank; d++) {
        bool added = false;
        for (int i = 0, axis; i < count; i++)
            added = added || (axis_of(axes[i], rank, &axis) && axis == d);
        ok = added || next < x->rank;
        dims[d] = added ? 1 : ok ? (int64_t)x->dims[next++] : 0;
    }
    return ok ? reshaped(r, node, *x, dims, rank) : fail_node(r, node, "axes out of range");
}

/* PyTorch writes equal parameters once, and Identity nodes name the others; names that begin with / are generated. */
static bool fold_same(struct onnx_reader *r, const struct onnx_node *node)
{
    const int y = node->outputs[0];
    r->values[y] = *node_input(r, node, 0);
    r->values[y].origin = *r->file.values[y].name.p == '/' ? r->values[y].origin : y;
    return true;
}

static bool fold_cast(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    const int64_t to = onnx_int(node, "to", 0);
    const bool real = to == 1 || to == 10 || to == 11 || to == 16;
    if (real == !is_whole(x))
        return fold_same(r, node);                      /* another precision: rounded when used */
    struct tensor shape = *x;
    struct walk walk;
    shape.dtype = real ? DTYPE_F64 : DTYPE_I64;
    walk_steps(x, &walk);
    return take(r, node, x, &shape, &walk);
}

static bool fold_constant(struct onnx_reader *r, const struct onnx_node *node)
{
    struct tensor t;
    struct error why = {0};
    const struct bytes proto = onnx_tensor_attribute(node, "value");
    int64_t list[LIST_MAX];
    const int count = onnx_ints(node, "value_ints", list, LIST_MAX);
    if (proto.size)
        return onnx_load_tensor(&t, proto, &r->net->weights, &why) ? set_tensor(r, node, &t)
                                                              : fail_node(r, node, why.text);
    if (count >= 0)
        return set_constant(r, node, list, count);
    const double real = onnx_float(node, "value_float", NAN);
    double *y = new_result(r, node, &(struct tensor){ .dtype = isnan(real) ? DTYPE_I64 : DTYPE_F64 });
    if (y)
        *y = isnan(real) ? (double)onnx_int(node, "value_int", 0) : real;
    return y && finish_result(r, node, y);
}

static bool fold_shape(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *x = node_constant(r, node, 0);
    int64_t dims[RANK_MAX];
    for (int i = 0; i < x->rank; i++)
        dims[i] = (int64_t)x->dims[i];
    return set_constant(r, node, dims, x->rank);
}

/* ---- elementwise ---- */

static double add(double a, double b)      { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double divide(double a, double b)   { return b != 0 ? a / b : 0; }

static double modulo(double a, double b)   { return b != 0 ? a - b * floor(a / b) : 0; }

static const struct binary_function { const char *name; double (*f)(double, double); } binary_functions[] = {
    { "Add", add }, { "Sub", subtract }, { "Mul", multiply }, { "Div", divide }, { "Pow", pow },
    { "Mod", modulo }, {0} };

static const struct unary_function { const char *name; double (*f)(double); } unary_functions[] = {
    { "Floor", floor }, { "Ceil", ceil }, { "Sqrt", sqrt }, { "Exp", exp }, { "Abs", fabs }, {0} };

static bool fold_unary(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct unary_function *row = find_operator_row(node, unary_functions, sizeof *row);
    struct walk walk;
    const struct tensor *x = node_constant(r, node, 0);
    walk_steps(x, &walk);
    double *from = load(r, node, x), *y = from ? new_result(r, node, x) : NULL;
    for (size_t i = 0; y && i < tensor_count(x); i++)
        y[i] = row->f(from[i]);
    free(from);
    return y && finish_result(r, node, y);
}

/* Extents are aligned at the last; one that is 1 or missing is repeated. */
static bool broadcast(const struct tensor *a, const struct tensor *b, struct tensor *out, struct walk walk[2])
{
    const struct tensor *const operand[] = { a, b };
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++)
        out->dims[i] = 1;
    for (int k = 0; k < 2; k++) {
        struct walk own;
        walk_steps(operand[k], &own);
        walk[k] = (struct walk){0};
        for (int i = 0, d = out->rank - operand[k]->rank; i < operand[k]->rank; i++, d++) {
            if (operand[k]->dims[i] == 1)
                continue;
            if (out->dims[d] != 1 && out->dims[d] != operand[k]->dims[i])
                return false;
            out->dims[d] = operand[k]->dims[i];
            walk[k].step[d] = own.step[i];
        }
    }
    return true;
}

static bool fold_binary(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct binary_function *row = find_operator_row(node, binary_functions, sizeof *row);
    const struct tensor *a = node_constant(r, node, 0), *b = node_constant(r, node, 1);
    struct tensor shape = { .dtype = b && is_whole(a) && is_whole(b) ? DTYPE_I64 : DTYPE_F64 };
    struct walk walk[2];
    if (!b || !broadcast(a, b, &shape, walk))
        return fail_node(r, node, "constants whose shapes do not broadcast");
    double *x = load(r, node, a), *z = x ? load(r, node, b) : NULL, *y = z ? new_result(r, node, &shape) : NULL;
    for (size_t i = 0; y && i < tensor_count(&shape); i++)
        y[i] = row->f(x[walk_at(&walk[0], &shape, i)], z[walk_at(&walk[1], &shape, i)]);
    free(x);
    free(z);
    return y && finish_result(r, node, y);
}

static const struct fold_row { const char *name; bool (*fold)(struct onnx_reader *,
                                                              const struct onnx_node *); } fold_rows[] = {
    { "Constant", fold_constant },   { "Identity", fold_same },       { "Cast", fold_cast },
    { "Shape", fold_shape },         { "Gather", fold_gather },       { "Slice", fold_slice },
    { "Concat", fold_concat },       { "Reshape", fold_reshape },     { "Squeeze", fold_squeeze },
    { "Unsqueeze", fold_unsqueeze }, { "Transpose", fold_transpose }, { "Add", fold_binary },
    { "Sub", fold_binary },            { "Mul", fold_binary },            { "Div", fold_binary },
    { "Pow", fold_binary },            { "Mod", fold_binary },            { "Floor", fold_unary },
    { "Ceil", fold_unary },         { "Sqrt", fold_unary },         { "Exp", fold_unary },
    { "Abs", fold_unary }, {0} };

bool fold_node(struct onnx_reader *r, const struct onnx_node *node, bool *known)
{
    const struct fold_row *row = find_operator_row(node, fold_rows, sizeof *row);
    *known = row && node->output_count == 1 && node->outputs[0] != ONNX_NO_VALUE
          && (node->input_count > 0 ? node_constant(r, node, 0) != NULL : slice_is(node->op, "Constant"));
    for (int i = 0; i < node->input_count; i++)
        *known = *known && (node->inputs[i] == ONNX_NO_VALUE || node_constant(r, node, i));
    if (!*known || r->values[node->outputs[0]].kind == VALUE_CONSTANT || row->fold(r, node))
        return true;
    r->values[node->outputs[0]].kind = VALUE_UNREAD;
    return false;
}
