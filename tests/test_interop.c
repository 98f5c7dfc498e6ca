/* tests/test_interop.c -- weight files: writing and reading back, and errors of invalid files. */
#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "interop/safetensors.h"
#include "interop/state_dict.h"
#include "interop/weights_file.h"
#include "there.h"

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

static struct network no_network;       /* what a file of named tensors leaves empty */

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

static void round_trip(void **state)
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
static void refuses_false_headers(void **state)
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
        { "{\"__metadata__\":{\"k\":1},\"a\":" T("[0,4]") ",\"b\":" T("[4,8]") "}", "k is not a string" },
        { "{\"a\":" T("[0,4]") ",\"b\":" T("[4,8]") "}", NULL } };
#undef T
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct tensors t = {0};
        struct strbuf file = {0};
        const uint64_t size = strlen(cases[i].header);
        strbuf_add(&file, &size, 8);
        strbuf_addf(&file, "%s12345678", cases[i].header);
        const struct bytes bytes = { (unsigned char *)file.s, file.size };
        assert_int_equal(safetensors_index(&t, bytes, "x", &err), cases[i].says == NULL);
        if (cases[i].says && !strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].header, err.text);
        tensors_free(&t);
        strbuf_free(&file);
    }
}

static int allocations, failing_allocation;

static void *allocate(size_t size) { return allocations++ == failing_allocation ? NULL : malloc(size); }

/* Each allocation of cJSON fails once: there is an error, or a file that can be read. */
static void writes_a_whole_header_or_nothing(void **state)
{
    static const char path[] = "test_interop.safetensors";
    const float value = 1;
    cJSON_Hooks hooks = { allocate, free };
    (void)state;
    for (int n = 0; n <= allocations; n++) {
        struct error err = {0};
        struct tensors t = {0}, again = {0};
        struct tensor scalar = { .name = "scalar", .dtype = DTYPE_F32, .data = (const unsigned char *)&value };
        struct tensor pair = { .name = "pair", .dtype = DTYPE_F32, .rank = 2, .dims = { 1, 1 }, .data = scalar.data };
        assert_true(tensors_add(&t, &scalar, &err) && tensors_add(&t, &pair, &err));
        assert_true(tensors_add_metadata(&t, "key", "value", &err));
        allocations = 0;
        failing_allocation = n;
        cJSON_InitHooks(&hooks);
        const bool written = safetensors_write(path, &t, &err);
        cJSON_InitHooks(NULL);
        if (written ? !safetensors_read(&again, path, &err) : !strstr(err.text, "out of memory"))
            fail_msg("allocation %d: %s", n, err.text);
        tensors_free(&again);
        tensors_free(&t);
    }
    unlink(path);
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

#define CORPUS "tests/fuzz/corpus/pytorch/"

/* All made by torch.save from the same dict: views that share a storage, every kind of element. */
static void reads_torch_files(void **state)
{
    static const char *const files[] = { "zip.pth", "zip_protocol4.pth", "deflated.pth", "legacy.pth",
                                         "legacy_protocol5.pth" };
    static const struct { const char *name; enum dtype dtype; int rank; size_t dims[2]; double values[6]; } want[] = {
        { "weight", DTYPE_F32, 2, { 2, 3 }, { 0, 1, 2, 3, 4, 5 } },
        { "transposed", DTYPE_F32, 2, { 3, 2 }, { 0, 3, 1, 4, 2, 5 } },
        { "column", DTYPE_F32, 2, { 2, 1 }, { 1, 4 } },
        { "row", DTYPE_F32, 1, { 3 }, { 3, 4, 5 } },
        { "expanded", DTYPE_F64, 2, { 2, 3 }, { 5, 5, 5, 5, 5, 5 } },
        { "half", DTYPE_F16, 1, { 2 }, { 1, -2.5 } },
        { "bfloat16", DTYPE_BF16, 1, { 2 }, { 3, 0.5 } },
        { "steps", DTYPE_I64, 0, {0}, { 7 } },
        { "empty", DTYPE_F32, 2, { 0, 3 }, {0} },
        { "parameter", DTYPE_F32, 1, { 1 }, { 0.25 } },
        { "flags", DTYPE_BOOL, 1, { 2 }, { 1, 0 } },
        { "bytes", DTYPE_U8, 1, { 1 }, { 200 } } };
    enum { COUNT = sizeof want / sizeof *want };
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct error err = {0};
        struct tensors t;
        char path[100];
        snprintf(path, sizeof path, CORPUS "%s", files[f]);
        if (!weights_file_read(&t, &no_network, path, &err))
            fail_msg("%s", err.text);
        assert_int_equal(t.count, COUNT);
        for (int i = 0; i < COUNT; i++) {
            double values[6] = {0};
            assert_string_equal(t.list[i].name, want[i].name);
            assert_int_equal(t.list[i].dtype, want[i].dtype);
            assert_int_equal(t.list[i].rank, want[i].rank);
            assert_memory_equal(t.list[i].dims, want[i].dims, sizeof want[i].dims);
            tensor_doubles(&t.list[i], values);
            assert_memory_equal(values, want[i].values, sizeof values);
        }
        tensors_free(&t);
    }
}

/* As pytorch-lightning writes them, with unknown classes, callbacks, optimiser states, objects that hold themselves. */
static void takes_the_averaged_weights(void **state)
{
    static const char *const files[] = { CORPUS "lightning.ckpt", CORPUS "lightning_legacy.ckpt" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        struct tensors t;
        float a[2], b[2];
        assert_true(weights_file_read(&t, &no_network, files[i], &err));
        assert_int_equal(t.count, 3);
        assert_non_null(tensors_find(&t, "avg_model.a.weight"));
        assert_true(normalise_weight_names(&t, files[i], &err));
        assert_int_equal(t.count, 2);
        tensor_floats(tensors_find(&t, "a.weight"), a);
        tensor_floats(tensors_find(&t, "b"), b);
        assert_true(a[0] == 3 && a[1] == 3 && b[0] == 2 && b[1] == 2);
        tensors_free(&t);
    }
}

static void joins_names_of_nested_dicts(void **state)
{
    static const char *const names[] = { "net.a", "net.b.0", "other" };
    struct error err = {0};
    struct tensors t;
    float value;
    (void)state;
    assert_true(weights_file_read(&t, &no_network, CORPUS "nested.pth", &err));
    assert_int_equal(t.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(t.list[i].name, names[i]);
        tensor_floats(&t.list[i], &value);
        assert_true(value == (float)(i + 1));
    }
    tensors_free(&t);
}

static void refuses_false_torch_files(void **state)
{
    static const struct { const char *path, *says; } cases[] = {
        { CORPUS "refused_big_endian.pth", "not little-endian" },
        { CORPUS "refused_bomb.pth", "more than 64 times its size" },
        { CORPUS "refused_huge_expansion.pth", "more than 64 times its size" },
        { CORPUS "refused_short_storage.pth", "has 4 bytes, its tensors want 8" },
        { CORPUS "refused_no_storage.pth", "has no file archive/data/0" },
        { CORPUS "refused_no_pickle.pth", "without a data.pkl" },
        { CORPUS "refused_stride.pth", "a: sizes and strides do not fit" },
        { CORPUS "refused_size.pth", "a: sizes and strides do not fit" },
        { CORPUS "refused_offset.pth", "a: sizes and strides do not fit" },
        { CORPUS "refused_sparse.pth", "a: a kind of tensor" },
        { CORPUS "refused_complex.pth", "not supported" },
        { CORPUS "refused_list.pth", "no dict of tensors" },
        { CORPUS "refused_no_tensors.pth", "holds no tensors" },
        { "tests/test_interop.c", "in none of the formats" },
        { "no such file", "No such file" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct tensors t;
        assert_false(weights_file_read(&t, &no_network, cases[i].path, &err));
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, cases[i].path))
            fail_msg("%s: %s", cases[i].path, err.text);
        tensors_free(&t);
    }
}

/* Every truncation fails; a byte that is changed may go unnoticed, but never crashes. */
static void survives_damage(void **state)
{
    static const char copy[] = "test_interop.pth";
    static const char *const files[] = { CORPUS "legacy.pth", CORPUS "deflated.pth",
                                         "tests/fuzz/corpus/safetensors/three.safetensors" };
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct error err = {0};
        struct bytes whole;
        struct tensors t;
        assert_true(file_read(&whole, files[f], &err));
        for (size_t i = 0; i < whole.size; i += 7) {
            FILE *out = fopen(copy, "wb");
            assert_non_null(out);
            fwrite(whole.p, 1, i, out);
            fclose(out);
            assert_false(weights_file_read(&t, &no_network, copy, &err));
            tensors_free(&t);
            whole.p[i] ^= 0x55;
            out = fopen(copy, "wb");
            assert_non_null(out);
            fwrite(whole.p, 1, whole.size, out);
            fclose(out);
            weights_file_read(&t, &no_network, copy, &err);
            tensors_free(&t);
            whole.p[i] ^= 0x55;
        }
        bytes_free(&whole);
    }
    unlink(copy);
}

static void normalises_names(void **state)
{
    static const struct { const char *names[6], *want[6]; const unsigned char values[6]; } cases[] = {
        { { "b", "a" }, { "b", "a" }, { 0, 1 } },
        { { "module.a", "model.module.b" }, { "a", "b" }, { 0, 1 } },
        { { "a", "ema.a", "moment1.a", "moment2.a", "b" }, { "a", "b" }, { 1, 4 } },
        { { "avg_model.module.a", "model.a", "model.b" }, { "a", "b" }, { 0, 2 } },
        { { "modelled.a", "ema", "em.a" }, { "modelled.a", "ema", "em.a" }, { 0, 1, 2 } },
        { { "moment1.a", "moment2.a" }, {0}, {0} },
        { {0}, {0}, {0} } };
    static const unsigned char data[6] = { 0, 1, 2, 3, 4, 5 };
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tensors t = {0};
        int n = 0;
        for (int j = 0; j < 6 && cases[i].names[j]; j++)
            assert_true(tensors_add(&t, &(struct tensor){ .name = (char *)cases[i].names[j], .dtype = DTYPE_U8,
                                                          .data = &data[j] }, &err));
        assert_true(normalise_weight_names(&t, "x", &err));
        for (; n < 6 && cases[i].want[n]; n++) {
            assert_true(n < t.count);
            assert_string_equal(t.list[n].name, cases[i].want[n]);
            assert_int_equal(*t.list[n].data, cases[i].values[n]);
            assert_ptr_equal(tensors_find(&t, cases[i].want[n]), &t.list[n]);
        }
        assert_int_equal(t.count, n);
        tensors_free(&t);
    }
    struct tensors twice = {0};
    assert_true(tensors_add(&twice, &(struct tensor){ .name = "a", .dtype = DTYPE_U8, .data = data }, &err)
                && tensors_add(&twice, &(struct tensor){ .name = "model.a", .dtype = DTYPE_U8, .data = data }, &err));
    assert_false(normalise_weight_names(&twice, "x", &err));
    assert_string_equal(err.text, "x: there are two tensors a");
    tensors_free(&twice);
}

static void reads_official_weights(void **state)
{
    static const char *const files[] = { "../shared/data/weights/nanodet_m.ckpt",
                                         "../shared/data/weights/nanodet_m.pth" };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        struct tensors t;
        size_t numbers = 0;
        if (!file_exists(files[i])) {
            print_message("reads_official_weights: %s is missing\n", files[i]);
            skip();
        }
        assert_true(weights_file_read(&t, &no_network, files[i], &err) && normalise_weight_names(&t, files[i], &err));
        assert_int_equal(t.count, 421);
        for (int j = 0; j < t.count; j++)
            numbers += tensor_count(&t.list[j]);
        assert_int_equal(numbers, 975859);
        assert_non_null(tensors_find(&t, "backbone.conv1.0.weight"));
        tensors_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widens_every_half),
        cmocka_unit_test(rounds_halves_to_even),
        cmocka_unit_test(widens_every_dtype),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refuses_false_headers),
        cmocka_unit_test(writes_a_whole_header_or_nothing),
        cmocka_unit_test(refuses_headers_that_do_not_fit),
        cmocka_unit_test(reads_torch_files),
        cmocka_unit_test(takes_the_averaged_weights),
        cmocka_unit_test(joins_names_of_nested_dicts),
        cmocka_unit_test(refuses_false_torch_files),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(normalises_names),
        cmocka_unit_test(reads_official_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
