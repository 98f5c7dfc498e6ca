/* tests/test_checkpoint.c -- damaged checkpoints, failed writes and invalid values: errors name the file, and the
 * previous file remains. */
#include "base/file.h"
#include "base/string_list.h"
#include "interop/safetensors.h"
#include "policy.h"
#include "same_file.h"
#include "tiny.h"
#include "train/checkpoint.h"
#include "train/trainer.h"
#include "typed.h"
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

static const char last[] = "run/model_last.safetensors", best[] = "run/model_best/model_best.safetensors";

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

static int set_up(void **state)
{
    if (tiny_setup(state) != 0)
        return -1;
    works("train", in_folder("config.yml"), NULL);
    return 0;
}

/* ---- the checksum ---- */

/* The digits that zlib.crc32 of Python gives by the definition in interop/safetensors.h, in either order. */
static void the_checksum_is_as_defined(void **state)
{
    static const float data[2] = { 1, -2.5f };
    struct error err = {0};
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct tensors t = {0}, in = {0};
        const struct tensor weight = { .name = (char *)(uintptr_t)"a.weight", .dtype = DTYPE_F32, .rank = 2,
                                       .dims = { 2, 1 }, .data = (const unsigned char *)data };
        must(tensors_add_metadata(&t, "nanodet.crc32", "stale", &err) && tensors_add_metadata(&t, "key", "value", &err)
             && tensors_add(&t, &weight, &err) && safetensors_write(in_folder("small"), &t, &err)
             && safetensors_read(&in, in_folder("small"), &err), &err);
        assert_string_equal(tensors_metadata(&in, "nanodet.crc32"), "e04dc30b");
        assert_int_equal(in.metadata_count, 2);
        tensors_free(&t);
        tensors_free(&in);
    }
}

static bool same_values(const struct tensors *a, const struct tensors *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        const struct tensor *x = &a->list[i], *y = tensors_find(b, x->name);
        same = y && x->dtype == y->dtype && x->rank == y->rank && tensor_bytes(x) == tensor_bytes(y)
            && memcmp(x->dims, y->dims, sizeof x->dims) == 0 && memcmp(x->data, y->data, tensor_bytes(x)) == 0;
    }
    for (int i = 0; same && i < a->metadata_count; i++) {
        const char *key = a->metadata[i].key, *text = tensors_metadata(b, key);
        same = strcmp(key, "nanodet.crc32") == 0 || (text && strcmp(text, a->metadata[i].value) == 0);
    }
    return same;
}

/* A changed file is refused by name, or it has the same values. */
static bool refuses_or_same(struct bytes file, const struct tensors *want)
{
    struct tensors got = {0};
    struct error err = {0};
    const bool read = safetensors_index(&got, file, "changed.file", &err);
    const bool good = read ? same_values(want, &got) : err.exit == 1 && strstr(err.text, "changed.file");
    tensors_free(&got);
    return good;
}

/* `count` bits, spread over the bytes from begin to end. */
static void flip_bits(struct bytes file, size_t begin, size_t end, int count, const struct tensors *want)
{
    for (int i = 0; i < count; i++) {
        const size_t bit = 8 * begin + (size_t)((double)i / count * (double)(8 * (end - begin)));
        file.p[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (!refuses_or_same(file, want))
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        file.p[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void damage_is_detected(void **state)
{
    static const char *const names[] = { last, best };
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct tensors want = {0};
        struct error err = {0};
        struct bytes file = contents(names[k]);
        uint64_t header;
        memcpy(&header, file.p, sizeof header);
        must(safetensors_index(&want, file, names[k], &err), &err);
        struct bytes copy = contents(names[k]);
        const size_t data = sizeof header + (size_t)header;
        flip_bits(copy, 0, sizeof header, 64, &want);
        flip_bits(copy, sizeof header, data, 200, &want);
        flip_bits(copy, sizeof header, sizeof header + 200, 400, &want);       /* the checksum and the counters */
        flip_bits(copy, data, copy.size, 200, &want);
        for (size_t size = 0; size < copy.size; size += copy.size / 100)
            assert_true(refuses_or_same((struct bytes){ copy.p, size }, &want));
        memset(copy.p + copy.size / 2, 0, 4096);
        assert_true(refuses_or_same(copy, &want));
        bytes_free(&copy);
        tensors_free(&want);
        bytes_free(&file);
    }
}

/* Files of older versions and of other programs. */
static void files_without_a_checksum_load(void **state)
{
    struct tensors want = {0}, got = {0};
    struct error err = {0};
    struct bytes file = contents(last), plain = contents(last);
    (void)state;
    char *key = memmem(plain.p, plain.size, "nanodet.crc32", 13);
    assert_non_null(key);
    memcpy(key, "another.crc32", 13);
    plain.p[plain.size - 1] ^= 1;
    must(safetensors_index(&want, file, last, &err) && safetensors_index(&got, plain, last, &err), &err);
    assert_int_equal(got.count, want.count);
    tensors_free(&want);
    tensors_free(&got);
    bytes_free(&file);
    bytes_free(&plain);
}

static void commands_refuse_damage(void **state)
{
    static const char *const names[] = { last, best };
    char config[300], path[300], out[300], image[300];
    struct error err = {0};
    (void)state;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(out, sizeof out, "%s", in_folder("out.onnx"));
    snprintf(image, sizeof image, "%s", in_folder("data/images/val/000003.jpg"));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s", in_folder(names[i]));
        struct bytes file = contents(names[i]);
        file.p[file.size - 7] ^= 16;
        must(file_write(path, file.p, file.size, &err), &err);
        refused(1, path, "predict", "--weights", path, image, NULL);
        refused(1, path, "test", config, "--weights", path, NULL);
        refused(1, path, "info", "--weights", path, NULL);
        refused(1, path, "export", "--weights", path, "--out", out, NULL);
        refused(1, path, "train", config, "--weights", path, "save_dir=/tmp/never", NULL);
        if (i == 0)
            refused(1, "is damaged", "train", config, "--resume", NULL);
        file.p[file.size - 7] ^= 16;
        must(file_write(path, file.p, file.size, &err), &err);
        works("predict", "--weights", path, image, NULL);
        bytes_free(&file);
    }
}

/* ---- writing ---- */

struct run { struct config config; struct trainer trainer; };

static void run_open(struct run *r)
{
    const struct training_options options = { .policy = *policy_under_test(2), .resume = true };
    struct error err = {0};
    *r = (struct run){0};
    must(config_read(&r->config, in_folder("config.yml"), NULL, 0, &err)
         && trainer_open(&r->trainer, &r->config, &options, &err), &err);
}

static void run_close(struct run *r)
{
    struct error err = {0};
    must(trainer_close(&r->trainer, &err), &err);
    config_free(&r->config);
}

/* The disk is full after half of the file: the error names it, and the previous file remains valid. */
static void a_write_that_fails_keeps_the_file(void **state)
{
    struct run r;
    struct error err = {0};
    struct rlimit limit;
    struct string_list notes = {0};
    struct bytes before = contents(last);
    (void)state;
    run_open(&r);
    struct optimizer *o = &r.trainer.train_step.optimizer;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlim_t usual = limit.rlim_cur;
    signal(SIGXFSZ, SIG_IGN);
    for (int part = 0; part < 8; part++) {
        limit.rlim_cur = (rlim_t)(before.size / 8 * (size_t)part);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const bool ok = trainer_save(&r.trainer, &err);
        limit.rlim_cur = usual;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_true(!ok && err.exit == 1 && strstr(err.text, last));
        struct bytes after = contents(last);
        assert_true(after.size == before.size && memcmp(after.p, before.p, after.size) == 0);
        bytes_free(&after);
        must(checkpoint_read(in_folder(last), o, &r.trainer.state, &notes, &err), &err);
    }
    string_list_free(&notes);
    assert_false(checkpoint_write("/dev/full", o, &r.trainer.state, r.trainer.description.s, &err));
    assert_non_null(strstr(err.text, "/dev/full"));
    run_close(&r);
    bytes_free(&before);
}

/* A number that is not finite, in any of the arrays, is not written; the error names its tensor and the step. */
static void non_finite_values_are_not_written(void **state)
{
    struct run r;
    struct error err = {0};
    struct bytes before = contents(last), best_before = contents(best);
    (void)state;
    run_open(&r);
    struct optimizer *o = &r.trainer.train_step.optimizer;
    const struct params *params = o->params;
    const struct param *variance = &params->list[params_find(params, "backbone.conv1.1.running_var")];
    const struct param *weight = &params->list[params_find(params, "fpn.reduce_layers.0.conv.weight")];
    const struct { float *element; const char *name; } cases[] = {
        { &params->value[variance->offset], " backbone.conv1.1.running_var has" },
        { &o->average[variance->offset + variance->count - 1], " ema.backbone.conv1.1.running_var has" },
        { &o->moment1[weight->offset], " moment1.fpn.reduce_layers.0.conv.weight has" },
        { &o->moment2[weight->offset + 1], " moment2.fpn.reduce_layers.0.conv.weight has" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float good = *cases[i].element;
        *cases[i].element = i % 2 ? NAN : INFINITY;
        assert_false(trainer_save(&r.trainer, &err));
        if (err.exit != 1 || !strstr(err.text, cases[i].name) || !strstr(err.text, "after 1 steps"))
            fail_msg("%s", err.text);
        assert_false(checkpoint_write_best(r.trainer.best, o, &r.trainer.state, r.trainer.description.s, 0.5,
                                           &err));
        *cases[i].element = good;
    }
    struct bytes after = contents(last), best_after = contents(best);
    assert_true(after.size == before.size && memcmp(after.p, before.p, after.size) == 0);
    assert_true(best_after.size == best_before.size && memcmp(best_after.p, best_before.p, best_after.size) == 0);
    run_close(&r);
    bytes_free(&before);
    bytes_free(&after);
    bytes_free(&best_before);
    bytes_free(&best_after);
}

/* A learning rate at which the statistics overflow ends the training, and its last good checkpoint can be used. */
static void a_training_that_diverges_ends(void **state)
{
    char key[320];
    (void)state;
    snprintf(key, sizeof key, "save_dir=%s", in_folder("diverging"));
    refused(1, "not finite", "train", in_folder("config.yml"), key, "schedule.optimizer.lr=100",
            "schedule.total_epochs=60", "schedule.val_intervals=60", NULL);
    struct tensors t = {0};
    struct error err = {0};
    must(safetensors_read(&t, in_folder("diverging/model_last.safetensors"), &err), &err);
    for (int i = 0; i < t.count; i++)
        for (size_t k = 0; k < tensor_count(&t.list[i]); k++) {
            float element;
            memcpy(&element, t.list[i].data + k * sizeof element, sizeof element);
            assert_true(isfinite(element));
        }
    tensors_free(&t);
}

/* ---- numbers ---- */

static void numbers_are_checked(void **state)
{
    static const struct { const char *key, *text; bool good; } cases[] = {
        { "epoch", "0", true }, { "epoch", "2147483646", true }, { "epoch", "2147483647", false },
        { "epoch", "0.5", false }, { "epoch", "1.0", false }, { "epoch", "1e3", false }, { "epoch", "0x10", false },
        { "epoch", " 1", false }, { "epoch", "1 ", false }, { "epoch", "+1", false }, { "epoch", "-1", false },
        { "epoch", "", false }, { "epoch", "12 of 100", false }, { "epoch", "inf", false }, { "epoch", "nan", false },
        { "epoch", "1e400", false }, { "epoch", "99999999999999999999", false }, { "step", "1000000000000000", true },
        { "step", "1000000000000001", false }, { "step", "0.5", false }, { "updates", "7.5", false },
        { "batch", "1.5", false }, { "images", "0", false }, { "images", "3.25", false },
        { "best_epoch", "0.5", false },
        { "best", "0.25", true }, { "best", "-1", true }, { "best", "1", true }, { "best", "1.0000001", false },
        { "best", "-1.1", false }, { "best", "inf", false }, { "best", "nan", false }, { "best", "1e400", false },
        { "best", "1e-400", true }, { "best", " 0.5", false }, { "best", "0.5x", false }, { "best", "0x0.8p0", false },
        { "score", "0.5", true }, { "score", "2", false }, { "score", "-nan", false },
        { "score_threshold", "0", true }, { "score_threshold", "1", true }, { "score_threshold", "0.412", true },
        { "score_threshold", "-0.001", false }, { "score_threshold", "1.001", false },
        { "score_threshold", "nan", false }, { "score_threshold", "inf", false }, { "score_threshold", "", false } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        double v;
        const bool ok = checkpoint_number(cases[i].key, cases[i].text, &v, &err);
        if (ok != cases[i].good || (!ok && (!strstr(err.text, cases[i].key) || !strstr(err.text, cases[i].text))))
            fail_msg("%s = '%s': %d, %s", cases[i].key, cases[i].text, ok, err.text);
    }
}

static void write_with(const char *name, const char *to, const char *key, const char *text)
{
    struct tensors t = {0};
    struct error err = {0};
    must(safetensors_read(&t, in_folder(name), &err), &err);
    for (int k = 0; k < t.metadata_count; k++)
        if (strcmp(t.metadata[k].key, key) == 0) {
            free(t.metadata[k].value);
            t.metadata[k].value = strdup(text);
        }
    must(safetensors_write(in_folder(to), &t, &err), &err);
    tensors_free(&t);
}

static void commands_refuse_wrong_numbers(void **state)
{
    static const struct { const char *key, *text; } cases[] = {
        { "epoch", "0.5" }, { "rates", "0.002  " }, { "rates", " 0.002" }, { "rates", "inf" }, { "data.train", "12" },
        { "data.val", "0123456789abcdeg" }, { "best", "1e400" } };
    struct error err = {0};
    struct bytes good = contents(last);
    char path[300];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_with(last, last, cases[i].key, cases[i].text);
        refused(1, cases[i].key, "train", in_folder("config.yml"), "--resume", NULL);
        must(file_write(in_folder(last), good.p, good.size, &err), &err);
    }
    snprintf(path, sizeof path, "%s", in_folder("best.safetensors"));
    write_with(best, "best.safetensors", "epoch", "0.5");
    refused(1, "metadata 'epoch' is '0.5', not a whole number", "info", "--weights", path, NULL);
    write_with(best, "best.safetensors", "score", "7");
    refused(1, "metadata 'score' is '7', not a number from -1 to 1", "info", "--weights", path, NULL);
    bytes_free(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_as_defined), cmocka_unit_test(damage_is_detected),
        cmocka_unit_test(files_without_a_checksum_load), cmocka_unit_test(commands_refuse_damage),
        cmocka_unit_test(a_write_that_fails_keeps_the_file), cmocka_unit_test(non_finite_values_are_not_written),
        cmocka_unit_test(a_training_that_diverges_ends), cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(commands_refuse_wrong_numbers) };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
