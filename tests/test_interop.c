/* Weight files: what is written is read again, what lies is refused. */
#include "interop/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>                             /* last: it makes macros of fail and others */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void widens_every_half(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 1u << 16; h++) {
        const uint16_t half = (uint16_t)h;
        const struct tensor t = { .dtype = DTYPE_F16, .data = (const unsigned char *)&half };
        const int exponent = half >> 10 & 31, mantissa = half & 1023;
        const float size = exponent == 0  ? ldexpf((float)mantissa, -24)
                         : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                          : ldexpf((float)(1024 + mantissa), exponent - 25);
        float got;
        tensor_floats(&t, &got);
        assert_true(isnan(size) ? isnan(got) : got == (half & 0x8000 ? -size : size));
        assert_true(isnan(got) || !signbit(got) == !(half & 0x8000));
        assert_int_equal(half_of(got), isnan(size) ? (half & 0x8000) | 0x7e00 : half);
    }
}

static void rounds_halves_to_even(void **state)
{
    static const struct { float f; uint16_t half; } cases[] = {
        { 1 + 0x1p-11f, 0x3c00 }, { 1 + 0x1.8p-10f, 0x3c02 }, { 1 + 0x1.002p-11f, 0x3c01 }, { 65519, 0x7bff },
        { 65520, 0x7c00 },        { -65520, 0xfc00 },         { 1e30f, 0x7c00 },            { 0x1p-25f, 0 },
        { 0x1.002p-25f, 1 },      { 0x1.8p-24f, 2 },          { 0x1.ffep-15f, 0x0400 },     { -0x1p-30f, 0x8000 },
        { 0x1.ffap-15f, 0x03ff }, { -INFINITY, 0xfc00 },      { 1e-45f, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(half_of(cases[i].f), cases[i].half);
}

static void widens_every_dtype(void **state)
{
    static const struct { enum dtype dtype; unsigned char data[8]; double value; } cases[] = {
        { DTYPE_BOOL, { 2 }, 1 },
        { DTYPE_U8, { 255 }, 255 },
        { DTYPE_I8, { 255 }, -1 },
        { DTYPE_U16, { 255, 255 }, 65535 },
        { DTYPE_I16, { 0, 128 }, -32768 },
        { DTYPE_U32, { 255, 255, 255, 255 }, 4294967295. },
        { DTYPE_I32, { 254, 255, 255, 255 }, -2 },
        { DTYPE_U64, { 0, 0, 0, 0, 0, 0, 0, 128 }, 0x1p63 },
        { DTYPE_I64, { 0, 0, 0, 0, 0, 0, 0, 128 }, -0x1p63 },
        { DTYPE_BF16, { 0x80, 0x3f }, 1 },
        { DTYPE_BF16, { 1, 0 }, 0x1p-133 },
        { DTYPE_F32, { 1, 0, 0, 0 }, 0x1p-149 },
        { DTYPE_F64, { 0, 0, 0, 0, 0, 0, 0xf0, 0xbf }, -1 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tensor t = { .dtype = cases[i].dtype, .rank = 1, .dims = { 1 }, .data = cases[i].data };
        double d;
        float f;
        tensor_doubles(&t, &d);
        tensor_floats(&t, &f);
        assert_true(d == cases[i].value && f == (float)cases[i].value);
        assert_int_equal(dtype_of(dtype_name(t.dtype)), t.dtype);
    }
    assert_int_equal(dtype_of("none"), DTYPE_NONE);
    assert_int_equal(dtype_of(NULL), DTYPE_NONE);
}

static const float weights[6] = { 1, -2, 3.5f, 0, 1e-40f, INFINITY };

static void fill(struct tensors *t)
{
    struct error err;
    static const int64_t steps = 1234567890123;
    const struct tensor list[] = {
        { "z.weight", DTYPE_F32, 2, { 2, 3 }, (const unsigned char *)weights },
        { "empty", DTYPE_F16, 3, { 4, 0, 2 }, NULL },
        { "steps \"\\\n", DTYPE_I64, 0, {0}, (const unsigned char *)&steps },
        { "a", DTYPE_U8, 1, { 3 }, (const unsigned char *)"abc" } };
    for (int i = 0; i < 4; i++)
        assert_true(tensors_add(t, &list[i], &err));
    assert_true(tensors_add_metadata(t, "format", "pt", &err) && tensors_add_metadata(t, "config", "a: 1\nb: 2", &err));
}

static void writes_what_it_reads(void **state)
{
    static const char path[] = "test_interop.safetensors", copy[] = "test_interop_2.safetensors";
    struct error err = {0};
    struct tensors out = {0}, in;
    struct bytes first, second;
    (void)state;
    fill(&out);
    assert_true(safetensors_write(path, &out, &err));
    assert_true(safetensors_read(&in, path, &err));
    assert_int_equal(in.count, 4);
    for (int i = 0; i < 4; i++) {
        const struct tensor *a = &out.list[i], *b = &in.list[i];
        assert_string_equal(a->name, b->name);
        assert_true(a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0);
        assert_memory_equal(a->data ? a->data : b->data, b->data, tensor_bytes(a));
        assert_ptr_equal(tensors_find(&in, a->name), b);
    }
    assert_null(tensors_find(&in, "b"));
    assert_string_equal(tensors_metadata(&in, "config"), "a: 1\nb: 2");
    assert_null(tensors_metadata(&in, "none"));
    assert_true(safetensors_write(copy, &in, &err) && file_read(&first, path, &err) && file_read(&second, copy, &err));
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.p, second.p, first.size);
    assert_int_equal(first.p[0] % 8, 0);
    bytes_free(&first);
    bytes_free(&second);
    tensors_free(&in);
    assert_true(tensors_add(&out, &(struct tensor){ .name = "a", .dtype = DTYPE_U8, .rank = 1 }, &err));
    assert_false(safetensors_write(copy, &out, &err));
    assert_non_null(strstr(err.text, "two tensors a"));
    tensors_free(&out);
    assert_true(safetensors_write(copy, &out, &err) && safetensors_read(&in, copy, &err));      /* nothing at all */
    assert_int_equal(in.count, 0);
    assert_null(tensors_find(&in, "a"));
    tensors_free(&in);
    tensors_free(&out);
    unlink(path);
    unlink(copy);
}

/* Every header is followed by 8 bytes of data. */
static void refuses_headers_that_lie(void **state)
{
#define T(offsets) "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" offsets "}"
    static const struct { const char *header, *says; } cases[] = {
        { "", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{}", "8 bytes at its end" },
        { "{\"a\":1}", "unknown dtype" },
        { "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", "unknown dtype F33" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "do not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", "do not fit" },
        { "{\"a\":" T("[0,4]") ",\"b\":" T("[0,4]") "}", "overlaps" },
        { "{\"a\":" T("[0,4]") "}", "4 bytes at its end" },
        { "{\"a\":" T("[4,8]") "}", "does not follow" },
        { "{\"a\":" T("[0,4]") ",\"a\":" T("[4,8]") "}", "two tensors a" },
        { "{\"__metadata__\":[],\"a\":" T("[0,4]") ",\"b\":" T("[4,8]") "}", "not an object" },
        { "{\"__metadata__\":{\"k\":1},\"a\":" T("[0,4]") ",\"b\":" T("[4,8]") "}", "k is not a text" },
        { "{\"a\":" T("[0,4]") ",\"b\":" T("[4,8]") "}", NULL } };
#undef T
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct tensors t = {0};
        struct text file = {0};
        const uint64_t size = strlen(cases[i].header);
        text_bytes(&file, &size, 8);
        text_add(&file, "%s12345678", cases[i].header);
        const struct bytes bytes = { (unsigned char *)file.s, file.size };
        assert_int_equal(safetensors_index(&t, bytes, "x", &err), cases[i].says == NULL);
        if (cases[i].says && !strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].header, err.text);
        tensors_free(&t);
        text_free(&file);
    }
}

static void refuses_headers_that_do_not_fit(void **state)
{
    static const unsigned char wraps[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };
    (void)state;
    for (size_t size = 0; size <= sizeof wraps; size++) {
        struct error err = {0};
        struct tensors t = {0};
        assert_false(safetensors_index(&t, (struct bytes){ (unsigned char *)wraps, size }, "x", &err));
        assert_non_null(strstr(err.text, "header does not fit"));
        tensors_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widens_every_half),
        cmocka_unit_test(rounds_halves_to_even),
        cmocka_unit_test(widens_every_dtype),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(refuses_headers_that_lie),
        cmocka_unit_test(refuses_headers_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
