/* Exported files: each detects as the model does, one that does not is found out, and a failure leaves nothing. */
#include "base/table.h"
#include "folder.h"
#include "model/export.h"
#include "small_model.h"

static int files_in_folder(void)
{
    struct error err = {0};
    struct names names = {0};
    assert_true(folder_list(&names, folder, &err));
    const int count = names.count;
    names_free(&names);
    return count;
}

static void empty_folder(void)
{
    struct error err = {0};
    struct names names = {0};
    assert_true(folder_list(&names, folder, &err));
    for (int i = 0; i < names.count; i++)
        remove(in_folder(names.list[i]));
    names_free(&names);
}

static const struct kind { const char *format, *file; bool half, fold; } kinds[] = {
    { "safetensors", "a.safetensors", false, true },  { "safetensors", "a.safetensors", false, false },
    { "safetensors", "a.safetensors", true, true },   { "onnx", "a.onnx", false, true },
    { "onnx", "a.onnx", false, false },               { "onnx", "a.onnx", true, true },
    { "ncnn", "a.param", false, true },               { "ncnn", "a.param", false, false },
    { "ncnn", "a.param", true, true } };

static const struct export_format *format_of(const struct kind *kind)
{
    return find_row(kind->format, export_formats, sizeof *export_formats);
}

static bool export(struct fixture *f, const struct kind *kind, struct verification *v, struct error *err)
{
    const struct export_options options = { .half = kind->half, .fold = kind->fold, .images = 1, .threads = 1 };
    return model_export(&f->model, in_folder(kind->file), format_of(kind), &options, v, err);
}

/* Of a model that is opened for it. */
static struct verification export_fresh(struct fixture *f, const struct kind *kind)
{
    struct error err = {0};
    struct verification v;
    open_model(f, NULL);
    if (!export(f, kind, &v, &err))
        fail_msg("%s", err.text);
    return v;
}

static void test_files_detect_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fixture f;
        const struct verification v = export_fresh(&f, &kinds[i]);
        assert_true(v.generated && v.images > 1 && v.largest > 0);
        assert_true(v.worst <= (kinds[i].half ? 0.05 : 1e-4) * v.largest);
        assert_int_equal(files_in_folder(), 1 + (format_of(&kinds[i])->beside != NULL));
        close_model(&f);
        empty_folder();
    }
}

/* A model that has learnt something since, were it only a little, is not what the file holds. */
static void test_what_detects_otherwise_is_found_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fixture f;
        struct error err = {0};
        struct verification v = export_fresh(&f, &kinds[i]);
        float *bias = param(&f, "head.gfl_cls.1.bias");
        bias[2] += (kinds[i].half ? 0.1f : 3e-4f) * (float)v.largest;
        assert_false(model_verify(&f.model, in_folder(kinds[i].file), kinds[i].half ? 0.05 : 1e-4, 1, &v, &err));
        assert_non_null(strstr(err.text, "detects otherwise"));
        bias[2] = NAN;
        assert_false(model_verify(&f.model, in_folder(kinds[i].file), 0.05, 1, &v, &err));
        close_model(&f);
        empty_folder();
    }
}

/* Weights too large for 16 bits; numbers that are none. */
static void test_a_failure_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fixture f;
        struct error err = {0};
        struct verification v;
        open_model(&f, NULL);
        param(&f, "head.gfl_cls.0.weight")[0] = kinds[i].half ? 1e6f : NAN;
        assert_false(export(&f, &kinds[i], &v, &err));
        assert_int_equal(err.exit, 1);
        assert_int_equal(files_in_folder(), 0);
        close_model(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_detect_the_same),
        cmocka_unit_test(test_what_detects_otherwise_is_found_out),
        cmocka_unit_test(test_a_failure_leaves_nothing) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
