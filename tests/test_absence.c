/* tests/test_absence.c -- a failure of the system never counts as a missing file or a broken image: the files of a
 * command depend only on its inputs. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/loader.h"
#include "data/validate.h"
#include "failing_calls.h"
#include "put.h"
#include "same_file.h"
#include "tiny.h"
#include "typed.h"
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- paths ---- */

static void answers_of_path_kind(void **state)
{
    struct error err = {0};
    struct string_list names;
    struct bytes file;
    char loop[300], inside[300];
    (void)state;
    put("file", "x");
    snprintf(loop, sizeof loop, "%s", in_folder("loop"));
    snprintf(inside, sizeof inside, "%s", in_folder("file/inside"));
    assert_int_equal(symlink("loop", loop), 0);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(path_kind(in_folder("file"), &err), PATH_FILE);
    assert_int_equal(path_kind(folder, &err), PATH_FOLDER);
    assert_int_equal(path_kind(in_folder("absent"), &err), PATH_ABSENT);
    assert_int_equal(path_kind(in_folder("dangling"), &err), PATH_ABSENT);
    assert_int_equal(path_kind(inside, &err), PATH_ABSENT);
    assert_int_equal(path_kind("", &err), PATH_ABSENT);
    assert_int_equal(err.exit, 0);
    assert_int_equal(path_kind(loop, &err), PATH_ERROR);
    assert_true(err.exit == 1 && strstr(err.text, loop) && strstr(err.text, strerror(ELOOP)));
    char longer[400] = "";
    memset(longer, 'a', 300);
    assert_int_equal(path_kind(longer, &err), PATH_ERROR);
    assert_non_null(strstr(err.text, strerror(ENAMETOOLONG)));
    /* Only an absent file, or a folder, is the content's fault. */
    assert_true(!file_read(&file, in_folder("absent"), &err) && err.content);
    assert_true(!file_read(&file, folder, &err) && err.content);
    assert_true(!file_read(&file, loop, &err) && !err.content);
    assert_true(!file_read(&file, "/proc/self/mem", &err) && !err.content && strstr(err.text, strerror(EIO)));
    assert_true(!folder_tree(&names, folder, &err) && strstr(err.text, "loop"));
    break_path(NULL, EIO, 1, 1);
    fault.in_readdir = true;
    assert_true(!folder_list(&names, folder, &err) && strstr(err.text, strerror(EIO)));
    fault.in_readdir = false;
    remove(loop);
}

/* A path in a folder without permission cannot be examined.  A file without permission is broken: every retry fails.
 * Root may read everything, so a process of another user runs the test. */
static void paths_without_permission(void **state)
{
    struct error closed = {0}, unreadable = {0};
    struct bytes bytes;
    (void)state;
    put("closed/file", "x");
    put("closed.png", "x");
    assert_true(chmod(in_folder("closed"), 0) == 0 && chmod(in_folder("closed.png"), 0) == 0);
    if (geteuid() == 0 && (chmod(folder, 0755) != 0 || seteuid(65534) != 0))
        skip();
    const enum path_kind kind = path_kind(in_folder("closed/file"), &closed);
    const bool read = file_read(&bytes, in_folder("closed.png"), &unreadable);
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(in_folder("closed"), 0755), 0);
    assert_true(kind == PATH_ERROR && strstr(closed.text, strerror(EACCES)));
    assert_true(!read && unreadable.content && strstr(unreadable.text, strerror(EACCES)));
}

/* ---- images ---- */

/* Each allocation of a decoder fails once: the image is unchanged, or the error is not one of the content. */
static void decoders_without_memory(void **state)
{
    static const char *const names[] = { "images/a.jpg", "images/b.png" };
    (void)state;
    if (!WITH_MALLOC)
        skip();
    for (int i = 0; i < 2; i++) {
        struct image want, got;
        struct error err = {0};
        put_image(names[i], 40, 30);
        struct bytes file = contents(names[i]);
        assert_true(image_decode(&want, file.p, file.size, names[i], &err));
        int failures = 0;
        for (long k = 0, left = -1; left < 0; k++) {
            err = (struct error){0};
            allocations_left = k;
            const bool ok = image_decode(&got, file.p, file.size, names[i], &err);
            left = allocations_left;                    /* not negative: there is no allocation number k */
            allocations_left = -1;
            assert_true(ok ? memcmp(got.p, want.p, 3 * 40 * 30) == 0
                           : err.exit == 1 && !err.content && strstr(err.text, "out of memory"));
            failures += !ok;
            image_free(&got);
        }
        assert_true(failures > 3);
        image_free(&want);
        bytes_free(&file);
    }
}

/* ---- data sets ---- */

static const char *const class_names[] = { "cat", "dog" };

static struct dataset_source yolo_source(void)
{
    static char images[300], texts[300];
    snprintf(images, sizeof images, "%s", in_folder("set/images"));
    snprintf(texts, sizeof texts, "%s", in_folder("set/labels"));
    return (struct dataset_source){ .format = DATASET_YOLO, .img_path = images, .ann_path = texts,
                                    .class_names = class_names, .class_count = 2 };
}

static void put_yolo(void)
{
    put_image("set/images/a.jpg", 60, 40);
    put_image("set/images/b.jpg", 60, 40);
    put("set/labels/a.txt", "0 0.5 0.5 0.2 0.2\n");
    put("set/labels/b.txt", "1 0.5 0.5 0.2 0.2\n");
    put("set/classes.txt", "cat\ndog\n");
}

static bool read_yolo(struct dataset *set, struct error *err)
{
    const struct dataset_source source = yolo_source();
    return dataset_read(set, &source, err);
}

static bool read_yolo_layout(struct dataset *set, struct error *err)
{
    return dataset_read_folder(set, "yolo", in_folder("set"), err);
}

static bool read_voc_layout(struct dataset *set, struct error *err)
{
    return dataset_read_folder(set, "voc", in_folder("voc"), err);
}

static void put_voc(const char *name, const char *class)
{
    struct strbuf xml = {0};
    strbuf_addf(&xml, "<annotation><filename>%c.jpg</filename><size><width>60</width><height>40</height></size><object>"
                "<name>%s</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object>"
                "</annotation>", path_name(name)[0], class);
    put(name, xml.s);
    strbuf_free(&xml);
}

/* Each call on a path fails in turn while a set is read: reading ends with an error that names the path, or the set is
 * complete, if another call gave the same information. */
static void sets_are_read_completely_or_not(void **state)
{
    static const struct { bool (*read)(struct dataset *, struct error *); const char *end; } cases[] = {
        { read_yolo, "a.txt" },        { read_yolo, "b.jpg" },            { read_yolo, "set/images" },
        { read_yolo, "set/labels" },   { read_yolo, "classes.txt" },      { read_yolo_layout, "b.txt" },
        { read_yolo_layout, "b.jpg" }, { read_yolo_layout, "set/images" }, { read_yolo_layout, "labels" },
        { read_yolo_layout, "classes.txt" }, { read_voc_layout, "b.xml" },     { read_voc_layout, "b.jpg" },
        { read_voc_layout, "Annotations" }, { read_voc_layout, "JPEGImages" } };
    (void)state;
    put_yolo();
    put_image("voc/JPEGImages/a.jpg", 60, 40);
    put_image("voc/JPEGImages/b.jpg", 60, 40);
    put_voc("voc/Annotations/a.xml", "cat");
    put_voc("voc/Annotations/b.xml", "dog");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int named = 0;
        bool struck = true;
        for (int passed = 0; struck; passed++) {
            struct dataset set;
            struct error err = {0};
            break_path(cases[i].end, EIO, passed, 1);
            const bool ok = cases[i].read(&set, &err);
            struck = atomic_load(&fault.calls) > passed;
            mend();
            if (ok ? set.annotation_count != 2 || set.category_count != 2
                   : !struck || !strstr(err.text, strerror(EIO)) || !strstr(err.text, cases[i].end))
                fail_msg("case %zu, call %d: %s", i, passed, err.text);
            named += !ok;
            dataset_free(&set);
        }
        if (named == 0)
            fail_msg("case %zu: no failure was reported", i);
    }
}

static void validation_names_the_system(void **state)
{
    struct error err = {0};
    (void)state;
    put_yolo();
    for (int use = USE_TRAINING; use <= USE_SCORING; use++) {
        const struct dataset_source source = yolo_source();
        const struct data_config c = { .img_path = source.img_path, .input_size = { 96, 64 } };
        const struct validation v = { .use = (enum set_use)use, .path = "set", .config = &c, .decode = true,
                                      .threads = 1 };
        struct dataset set;
        uint64_t digest;
        assert_true(dataset_read(&set, &source, &err));
        break_path("b.jpg", EMFILE, 0, ALL);
        assert_false(dataset_validate(&set, &v, &err));
        assert_true(strstr(err.text, "b.jpg") && strstr(err.text, strerror(EMFILE)));
        assert_int_equal(set.notes[NOTE_NO_IMAGE].count, 0);
        break_path("b.jpg", EIO, 0, ALL);
        assert_true(!dataset_digest(&digest, &set, source.img_path, &err) && strstr(err.text, strerror(EIO)));
        break_path("a.jpg", EIO, 0, ALL);
        assert_true(!dataset_note_shared(&set, source.img_path, &set, source.img_path, &err));
        mend();
        dataset_free(&set);
    }
}

/* A broken image does not become one of 0 x 0 pixels if there is no memory for its error message. */
static void validation_without_memory(void **state)
{
    const struct dataset_source source = yolo_source();
    const struct data_config c = { .img_path = source.img_path, .input_size = { 96, 64 } };
    const struct validation v = { .path = "set", .config = &c, .threads = 1 };
    (void)state;
    if (!WITH_MALLOC)
        skip();
    put_yolo();
    put("set/images/b.jpg", "GIF89a");
    int failures = 0;
    for (long k = 0, left = -1; left < 0; k++) {
        struct dataset set;
        struct error err = {0};
        assert_true(dataset_read(&set, &source, &err));
        allocations_left = k;
        const bool ok = dataset_validate(&set, &v, &err);
        left = allocations_left;
        allocations_left = -1;
        failures += !ok;
        if (ok)
            assert_int_equal(set.notes[NOTE_NO_IMAGE].count, 1);
        else if (!strstr(err.text, "out of memory"))
            fail_msg("allocation %ld: %s", k, err.text);
        dataset_free(&set);
    }
    assert_true(failures > 3);
}

/* ---- the loader ---- */

static uint64_t sum_of(const struct batch *b)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < 3 * (size_t)(b->n * b->h * b->w); i++) {
        uint32_t bits;
        memcpy(&bits, &b->image[i], sizeof bits);
        sum = sum * 31 + bits;
    }
    return sum;
}

/* Sums of the first two batches of a set, of which the second may fail. */
static bool load_two(const struct loader_config *config, uint64_t sums[2], struct error *err)
{
    struct loader *l = loader_open(config, err);
    const struct batch *batch;
    bool ok = l != NULL;
    for (int i = 0; ok && i < 2; i++) {
        ok = loader_next(l, &batch, err);
        sums[i] = ok ? sum_of(batch) : 0;
    }
    struct error line;
    assert_false(l && loader_complaint(l, &line));
    loader_close(l);
    return ok;
}

static void loader_tries_twice(void **state)
{
    const struct dataset_source source = yolo_source();
    struct dataset set;
    struct error err = {0};
    uint64_t want[2], got[2];
    (void)state;
    put_yolo();
    assert_true(dataset_read(&set, &source, &err));
    const struct data_config data = { .img_path = source.img_path, .ann_path = "set", .input_size = { 96, 64 },
                                      .multi_scale = { 1, 1 }, .pipeline = { .scale = { 1, 1 },
                                      .stretch = {{ 1, 1 }, { 1, 1 }}, .contrast = { 1, 1 }, .saturation = { 1, 1 },
                                      .normalize = {{ 0, 0, 0 }, { 1, 1, 1 }} } };
    struct loader_config config = { .dataset = &set, .data = &data, .train = true, .batch = 1, .workers = 2 };
    for (int train = 0; train < 2; train++) {
        config.train = train;
        assert_true(load_two(&config, want, &err));
        break_path("b.jpg", EIO, 0, 1);
        assert_true(load_two(&config, got, &err));
        assert_memory_equal(got, want, sizeof want);
        break_path("b.jpg", EIO, 0, ALL);
        assert_false(load_two(&config, got, &err));
        assert_true(err.exit == 1 && strstr(err.text, "b.jpg") && strstr(err.text, strerror(EIO)));
        mend();
    }
    dataset_free(&set);
}

/* Running out of descriptors is also a limit of the system. */
static void loader_without_descriptors(void **state)
{
    const struct dataset_source source = yolo_source();
    const struct data_config data = { .img_path = source.img_path, .ann_path = "set", .input_size = { 96, 64 } };
    struct dataset set;
    struct error err = {0};
    uint64_t sums[2];
    struct rlimit limit;
    (void)state;
    put_yolo();
    assert_true(dataset_read(&set, &source, &err));
    const struct loader_config config = { .dataset = &set, .data = &data, .train = true, .batch = 1, .workers = 1 };
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const bool ok = load_two(&config, sums, &err);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(!ok && strstr(err.text, ".jpg") && strstr(err.text, strerror(EMFILE)));
    dataset_free(&set);
}

/* ---- commands ---- */

/* Exit of a command. */
static int typed_words(struct error *err, const char *first, ...)
{
    va_list rest;
    va_start(rest, first);
    const int exit = typed(first, rest, err);
    va_end(rest);
    return exit;
}

static int train_one(struct error *err)
{
    char dir[300], config[300];
    snprintf(dir, sizeof dir, "save_dir=%s", in_folder("run"));
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    return typed_words(err, "train", config, "--resume", dir, NULL);
}

static struct bytes in(const char *save_dir, const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", save_dir, name);
    return contents(path);
}

static const char *const files[] = { "model_last.safetensors", "metrics.csv", "eval.csv" };
enum { FILES = sizeof files / sizeof *files };

static void assert_unchanged(const struct bytes before[FILES])
{
    for (int i = 0; i < FILES; i++) {
        struct bytes after = in("run", files[i]);
        assert_true(after.size == before[i].size && memcmp(after.p, before[i].p, after.size) == 0);
        bytes_free(&after);
    }
    assert_int_equal(path_kind(in_folder("run/model_last.safetensors.old"), NULL), PATH_ABSENT);
}

/* A failure while a finished training is resumed changes none of its files. */
static void training_keeps_its_checkpoint(void **state)
{
    static const char *const ends[] = { "model_last.safetensors", "metrics.csv", "eval.csv", "config.yml",
                                        "data/images/train/000001.jpg", "images/val/000003.jpg", "data/train.json" };
    struct bytes before[FILES];
    struct error err;
    (void)state;
    assert_int_equal(train_one(&err), 0);
    for (int k = 0; k < FILES; k++)
        before[k] = in("run", files[k]);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int named = 0;
        bool struck = true;
        for (int passed = 0; struck; passed++) {
            break_path(ends[i], EIO, passed, 1);
            const int exit = train_one(&err);
            struck = atomic_load(&fault.calls) > passed;
            mend();
            if (exit && (exit != 1 || !strstr(err.text, ends[i]) || !strstr(err.text, strerror(EIO))))
                fail_msg("%s, call %d: exit %d: %s", ends[i], passed, exit, err.text);
            named += exit;
            assert_unchanged(before);
        }
        assert_true(named > 0);
    }
    for (int k = 0; k < FILES; k++)
        bytes_free(&before[k]);
}

static int train_three(const char *save_dir, struct error *err)
{
    char dir[300], config[300];
    snprintf(dir, sizeof dir, "save_dir=%s", in_folder(save_dir));
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    return typed_words(err, "train", config, "--resume", "data.train.cache_mb=0", "schedule.total_epochs=3",
                       "schedule.val_intervals=3", dir, NULL);
}

/* --resume reaches the same files, whichever image fails. */
static void an_interrupted_training_resumes(void **state)
{
    struct error err;
    int ends = 0;
    (void)state;
    assert_int_equal(train_three("three", &err), 0);
    for (int passed = 0; passed < 8; passed++) {
        char name[20], file[60];
        snprintf(name, sizeof name, "struck%d", passed);
        break_path("images/train/000001.jpg", EIO, passed, ALL);
        const int exit = train_three(name, &err);
        mend();
        assert_true(exit == 0 || (exit == 1 && strstr(err.text, "000001.jpg") && strstr(err.text, strerror(EIO))));
        ends += exit;
        assert_int_equal(train_three(name, &err), 0);
        snprintf(file, sizeof file, "%s/model_last.safetensors", name);
        assert_same_file(file, "three/model_last.safetensors");
        snprintf(file, sizeof file, "%s/eval.csv", name);
        assert_same_file(file, "three/eval.csv");
    }
    assert_true(ends > 4);
}

/* Types a command that ends with `usual`, with each of its calls on a path failing in turn: it names the failure, at
 * least once, or ends as usual. */
static void strike_each(const char *end, const char *usual, ...)
{
    int named = 0;
    bool struck = true;
    for (int passed = 0; struck; passed++) {
        struct error err;
        va_list words;
        va_start(words, usual);
        break_path(end, EIO, passed, 1);
        const int exit = typed(va_arg(words, const char *), words, &err);
        struck = atomic_load(&fault.calls) > passed;
        mend();
        va_end(words);
        const bool names = strstr(err.text, strerror(EIO)) != NULL;
        if (exit != (*usual || names) || !(names ? strstr(err.text, end) : strstr(err.text, usual)))
            fail_msg("call %d: exit %d: %s", passed, exit, err.text);
        named += names;
    }
    assert_true(named > 0);
}

static void commands_name_the_failure(void **state)
{
    static const char end[] = "images/val/000003.jpg";
    char config[300], weights[300], out[300], image[300], broken[300];
    (void)state;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("run/model_last.safetensors"));
    snprintf(out, sizeof out, "%s", in_folder("out"));
    snprintf(image, sizeof image, "%s", in_folder("data/images/val/000003.jpg"));
    put("broken.jpg", "no image");
    snprintf(broken, sizeof broken, "%s", in_folder("broken.jpg"));
    static const char usual[] = "1 of 2 images cannot be used";
    strike_each(end, usual, "predict", config, "--weights", weights, "--out", out, broken, image, NULL);
    strike_each(end, usual, "heatmap", config, "--weights", weights, "--out", out, broken, image, NULL);
    strike_each(end, "", "test", config, "--weights", weights, NULL);
    strike_each(end, "", "export", config, "--weights", weights, "--out", in_folder("out.onnx"), NULL);
    break_path(end, EIO, 0, ALL);
    refused(1, "", "check", config, NULL);              /* which may name it in its table alone */
    mend();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_of_path_kind, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(paths_without_permission, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(decoders_without_memory, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(sets_are_read_completely_or_not, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(validation_names_the_system, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(validation_without_memory, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(loader_tries_twice, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(loader_without_descriptors, make_folder, remove_folder) };
    const struct CMUnitTest of_a_training[] = {
        cmocka_unit_test(training_keeps_its_checkpoint), cmocka_unit_test(an_interrupted_training_resumes),
        cmocka_unit_test(commands_name_the_failure) };
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(of_a_training, tiny_setup, remove_folder);
}
