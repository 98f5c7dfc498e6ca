/* tests/test_export.c -- exported files: equal outputs, detection of different outputs, and no leftover files after
 * a failure. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "base/table.h"
#include "export/export.h"
#include "policy.h"
#include "same_file.h"
#include "sample.h"
#include "small_model.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The countdown-th rename fails or ends the process.  This definition comes before that of the C library. */
static int countdown;
static bool crashes;
int rename(const char *from, const char *to)
{
    if (countdown && --countdown == 0) {
        if (crashes)
            _exit(0);
        errno = EIO;
        return -1;
    }
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static int files_in_folder(void)
{
    struct error err = {0};
    struct string_list names = {0};
    assert_true(folder_list(&names, folder, &err));
    const int count = names.count;
    string_list_free(&names);
    return count;
}

static void empty_folder(void)
{
    struct error err = {0};
    struct string_list names = {0};
    assert_true(folder_list(&names, folder, &err));
    for (int i = 0; i < names.count; i++)
        remove_all(in_folder(names.list[i]));
    string_list_free(&names);
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
    const struct export_options options = { .half = kind->half, .fold = kind->fold, .images = 1,
                                            .score_threshold = -1, .policy = policy_under_test(1) };
    struct error left = {0};
    const bool ok = model_export(&f->model, in_folder(kind->file), format_of(kind), &options, v, &left, err);
    assert_int_equal(left.exit, 0);
    return ok;
}

/* Exports a newly opened model. */
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
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i += SAMPLE) {
        struct fixture f;
        const struct verification v = export_fresh(&f, &kinds[i]);
        assert_true(v.generated && v.images > 1 && v.max_output > 0);
        assert_true(v.max_error <= (kinds[i].half ? 0.05 : 1e-4) * v.max_output);
        assert_int_equal(files_in_folder(), 1 + (format_of(&kinds[i])->companion_suffix != NULL));
        close_model(&f);
        empty_folder();
    }
}

/* Even a small change of the model after the export is detected. */
static void test_different_outputs_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i += SAMPLE) {
        struct fixture f;
        struct error err = {0};
        struct verification v = export_fresh(&f, &kinds[i]);
        float *bias = param(&f, "head.gfl_cls.1.bias");
        bias[2] += (kinds[i].half ? 0.1f : 3e-4f) * (float)v.max_output;
        assert_false(model_verify(&f.model, in_folder(kinds[i].file), kinds[i].half ? 0.05 : 1e-4,
                                  policy_under_test(1), &v, &err));
        assert_non_null(strstr(err.text, "differ by"));
        bias[2] = NAN;
        assert_false(model_verify(&f.model, in_folder(kinds[i].file), 0.05, policy_under_test(1), &v, &err));
        close_model(&f);
        empty_folder();
    }
}

/* Weights too large for 16 bits, and weights that are not finite. */
static void test_a_failure_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i += SAMPLE) {
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

static bool same_bytes(const char *name, const struct bytes *wanted)
{
    struct bytes file = contents(name);
    const bool same = file.size == wanted->size && memcmp(file.p, wanted->p, file.size) == 0;
    bytes_free(&file);
    return same;
}

static const struct kind ncnn = { "ncnn", "a.param", false, true };

/* An export of a model over that of another one.  Its writers rename each part once before. */
enum { RENAMES = 6 };
struct pairs { struct fixture f; struct bytes old[2], new[2]; };

static void open_pairs(struct pairs *p)
{
    struct verification v;
    struct error err = {0};
    open_model(&p->f, NULL);
    assert_true(export(&p->f, &ncnn, &v, &err));
    p->new[0] = contents("a.param");
    p->new[1] = contents("a.bin");
    close_model(&p->f);
    open_model(&p->f, "model.arch.head.feat_channels=48");
    assert_true(export(&p->f, &ncnn, &v, &err));
    p->old[0] = contents("a.param");
    p->old[1] = contents("a.bin");
    close_model(&p->f);
    assert_false(same_bytes("a.param", &p->new[0]) || same_bytes("a.bin", &p->new[1]));
    open_model(&p->f, NULL);
}

static bool is_pair(const struct bytes pair[2])
{
    return same_bytes("a.param", &pair[0]) && same_bytes("a.bin", &pair[1]);
}

static void put_old(const struct pairs *p)
{
    empty_folder();
    assert_true(file_write(in_folder("a.param"), p->old[0].p, p->old[0].size, NULL));
    assert_true(file_write(in_folder("a.bin"), p->old[1].p, p->old[1].size, NULL));
}

static void close_pairs(struct pairs *p)
{
    for (int i = 0; i < 2; i++) {
        bytes_free(&p->old[i]);
        bytes_free(&p->new[i]);
    }
    close_model(&p->f);
    empty_folder();
}

static void test_a_crash_leaves_no_wrong_pair(void **state)
{
    struct pairs p;
    struct verification v;
    struct error err = {0};
    int olds = 0, none = 0;
    (void)state;
    open_pairs(&p);
    crashes = true;
    for (int n = 1; n <= RENAMES; n++) {
        put_old(&p);
        const pid_t child = fork();
        if (child == 0) {
            countdown = n;
            export(&p.f, &ncnn, &v, &err);
            _exit(1);                           /* it has no so many renames */
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        const bool there = file_exists(in_folder("a.param"));
        assert_true(!there || is_pair(p.old));
        olds += there;
        none += !there;
    }
    assert_true(olds == RENAMES - 3 && none == 3);
    close_pairs(&p);
}

static void test_a_failure_keeps_the_old_pair(void **state)
{
    struct pairs p;
    struct verification v;
    struct error err = {0};
    (void)state;
    open_pairs(&p);
    crashes = false;
    for (int n = 1; n <= RENAMES; n++) {
        put_old(&p);
        countdown = n;
        assert_false(export(&p.f, &ncnn, &v, &err));
        assert_int_equal(countdown, 0);
        assert_true(is_pair(p.old));
        assert_int_equal(files_in_folder(), 2);
    }
    assert_true(export(&p.f, &ncnn, &v, &err));
    assert_true(is_pair(p.new));
    assert_int_equal(files_in_folder(), 2);
    close_pairs(&p);
}

/* Links and permissions are kept; existing files with the names of temporary files are unchanged. */
static void test_links_and_permissions_stay(void **state)
{
    struct fixture f;
    struct error err = {0};
    struct stat info;
    (void)state;
    assert_true(make_folders(in_folder("far"), &err));
    assert_true(file_write(in_folder("far/b.param"), "old", 3, &err) && file_write(in_folder("far/b.bin"), "o", 1, &err)
                && file_write(in_folder("a.part.param"), "mine", 4, &err) && chmod(in_folder("far/b.param"), 0600) == 0
                && symlink("far/b.param", in_folder("a.param")) == 0 && symlink("far/b.bin", in_folder("a.bin")) == 0);
    export_fresh(&f, &ncnn);
    assert_true(lstat(in_folder("a.param"), &info) == 0 && S_ISLNK(info.st_mode));
    assert_true(lstat(in_folder("far/b.param"), &info) == 0 && info.st_size > 100 && (info.st_mode & 0777) == 0600);
    assert_true(lstat(in_folder("far/b.bin"), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 1000);
    assert_int_equal(files_in_folder(), 4);
    struct bytes part = contents("a.part.param");
    assert_string_equal((const char *)part.p, "mine");
    bytes_free(&part);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_detect_the_same),
        cmocka_unit_test(test_different_outputs_fail),
        cmocka_unit_test(test_a_failure_leaves_nothing),
        cmocka_unit_test(test_a_crash_leaves_no_wrong_pair),
        cmocka_unit_test(test_a_failure_keeps_the_old_pair),
        cmocka_unit_test(test_links_and_permissions_stay) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
