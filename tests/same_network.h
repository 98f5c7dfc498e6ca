/* tests/same_network.h -- compares layers and weights of two networks. */
#ifndef TESTS_SAME_NETWORK_H
#define TESTS_SAME_NETWORK_H
#include "interop/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>                             /* last: it makes macros of fail and others */

/* half: numbers that b keeps in 16 bits are those of a, rounded. */
static inline void assert_same_tensor(const struct network *a, int i, const struct network *b, int j, bool half)
{
    assert_int_equal(i == NO_TENSOR, j == NO_TENSOR);
    if (i == NO_TENSOR)
        return;
    const struct tensor *x = &a->weights.list[i], *y = &b->weights.list[j];
    const size_t count = tensor_count(x);
    float *u = calloc(2 * count + 1, sizeof *u), *v = u + count;
    assert_non_null(u);
    assert_int_equal(x->rank, y->rank);
    assert_memory_equal(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims);
    tensor_floats(x, u);
    tensor_floats(y, v);
    for (size_t k = 0; k < count; k++)
        if (half && y->dtype == DTYPE_F16)
            assert_int_equal(half_of(u[k]), half_of(v[k]));
        else
            assert_true(u[k] == v[k]);
    free(u);
}

static inline void assert_same_network(const struct network *a, const struct network *b, bool half)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        const struct layer *x = &a->layers[i], *y = &b->layers[i];
        assert_string_equal(layer_kind_name(x->kind), layer_kind_name(y->kind));
        if (x->kind != LAYER_ACTIVATION)                /* which may have been part of a convolution */
            assert_string_equal(x->name, y->name);
        assert_int_equal(x->operands, y->operands);
        assert_memory_equal(x->operand, y->operand, (size_t)x->operands * sizeof *x->operand);
        assert_true(x->kernel == y->kernel && x->stride == y->stride && x->pad == y->pad && x->groups == y->groups);
        assert_true(x->from == y->from && x->to == y->to && x->act == y->act && x->slope == y->slope);
        assert_true(x->out_channels == y->out_channels);
        assert_true((x->kind != LAYER_NORM && x->kind != LAYER_GROUP_NORM) || (float)x->eps == (float)y->eps);
        assert_same_tensor(a, x->weight, b, y->weight, half);
        assert_same_tensor(a, x->bias, b, y->bias, half);
    }
    assert_int_equal(a->output_count, b->output_count);
    assert_memory_equal(a->outputs, b->outputs, (size_t)a->output_count * sizeof *a->outputs);
    assert_memory_equal(a->strides, b->strides, (size_t)a->output_count * sizeof *a->strides);
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->reg_max, b->reg_max);
    assert_int_equal(a->input_h, b->input_h);
    assert_int_equal(a->input_w, b->input_w);
}
#endif
