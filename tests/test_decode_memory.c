/* tests/test_decode_memory.c -- the memory limit of all decoders together, and paths that are not regular files. */
#include "base/budget.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/path.h"
#include "base/string_list.h"
#include "base/team.h"
#include "put.h"
#include "tiny.h"
#include "typed.h"

#include <fcntl.h>
#include <jpeglib.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- the budget ---- */

enum { LIMIT = 100, THREADS = 8, ROUNDS = 3000 };
static struct budget shared = BUDGET(LIMIT);
static atomic_int in_use, most_in_use;

static void *take_and_give(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    for (int i = 0; i < ROUNDS; i++) {
        const int bytes = rand_r(&random) % (LIMIT + 1);
        if (!budget_acquire(&shared, (size_t)bytes))
            return seed;
        const int used = atomic_fetch_add(&in_use, bytes) + bytes;
        int most = atomic_load(&most_in_use);
        while (used > most && !atomic_compare_exchange_weak(&most_in_use, &most, used))
            ;
        atomic_fetch_sub(&in_use, bytes);
        budget_release(&shared, (size_t)bytes);
    }
    return NULL;
}

static void budget_is_kept_without_starvation(void **state)
{
    pthread_t threads[THREADS];
    void *failed;
    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_in_range(atomic_load(&most_in_use), 1, LIMIT);
    assert_true(budget_acquire(&shared, LIMIT));
    budget_release(&shared, LIMIT);
    assert_false(budget_acquire(&shared, LIMIT + 1));
}

static void *take_all(void *ok)
{
    *(bool *)ok = budget_acquire(&shared, LIMIT);
    return NULL;
}

/* A thread that waits for more than a lowered limit is refused. */
static void lowered_limits_wake_waiting_threads(void **state)
{
    pthread_t thread;
    bool ok = true;
    (void)state;
    assert_true(budget_acquire(&shared, 1));
    assert_int_equal(pthread_create(&thread, NULL, take_all, &ok), 0);
    budget_set(&shared, LIMIT - 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(ok);
    budget_release(&shared, 1);
    budget_set(&shared, LIMIT);
}

/* ---- decoding ---- */

static void simple_jpeg(struct jpeg_compress_struct *jpeg, struct jpeg_error_mgr *messages, int width, int height)
{
    jpeg->err = jpeg_std_error(messages);
    jpeg_create_compress(jpeg);
    jpeg->image_width = (JDIMENSION)width;
    jpeg->image_height = (JDIMENSION)height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_EXT_BGR;
    jpeg_set_defaults(jpeg);
}

/* A grey JPEG with as many bytes as an image of its size must have; free its p. */
static struct bytes progressive(int width, int height)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct bytes file = {0};
    unsigned long size = 0;
    unsigned char *row = malloc(3 * (size_t)width);
    assert_non_null(row);
    memset(row, 90, 3 * (size_t)width);
    simple_jpeg(&jpeg, &messages, width, height);
    jpeg_simple_progression(&jpeg);
    jpeg_mem_dest(&jpeg, &file.p, &size);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < height; y++)
        jpeg_write_scanlines(&jpeg, &row, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    const size_t min_size = (size_t)width * (size_t)height / 512;
    file.size = size > min_size ? size : min_size;
    file.p = realloc(file.p, file.size);
    assert_non_null(file.p);
    if (size < min_size)
        memset(file.p + size, 0, min_size - size);
    return file;
}

/* Sanitizers keep memory that was freed. */
#ifdef SANITIZED
enum { MEMORY_TELLS = false };
#else
enum { MEMORY_TELLS = true };
#endif

/* The peak memory, in MB, of a child in which all threads of a team read one file; it exits with 0 if each could. */
struct reading { const char *path; atomic_int failed; };

static void read_one(const void *job, int chunk)
{
    struct reading *r = *(struct reading *const *)job;
    struct image p;
    struct error err;
    (void)chunk;
    if (!image_read(&p, r->path, &err))
        atomic_fetch_add(&r->failed, 1);
    image_free(&p);
}

static long peak_of_reading(const char *file, int threads, int mb, int *failed)
{
    struct rusage usage;
    int status;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct reading reading = { .path = file }, *job = &reading;
        image_memory(mb);
        team_for(&(struct team){ threads }, threads, read_one, &job);
        _exit(reading.failed);
    }
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status));
    *failed = WEXITSTATUS(status);
    return usage.ru_maxrss >> 10;
}

/* Each takes 24 MB of pixels and as much of coefficients. */
static void threads_share_the_memory(void **state)
{
    enum { MB = 120, ROOM = 30 };
    struct bytes jpeg = progressive(4096, 2048);
    int failed;
    (void)state;
    put_bytes("large.jpg", jpeg.p, jpeg.size);
    const long few = peak_of_reading(in_folder("large.jpg"), 1, MB, &failed);
    assert_int_equal(failed, 0);
    assert_true(few >= 40);
    const long many = peak_of_reading(in_folder("large.jpg"), THREADS, MB, &failed);
    assert_int_equal(failed, 0);
    if (MEMORY_TELLS && many > MB + ROOM)
        fail_msg("%ld MB for %d threads, %ld for one", many, THREADS, few);
    free(jpeg.p);
}

static void too_large_images_name_the_limit_they_need(void **state)
{
    struct bytes jpeg = progressive(4096, 2048);
    struct image p;
    struct error err = {0};
    (void)state;
    image_memory(16);
    assert_false(image_decode(&p, jpeg.p, jpeg.size, "large.jpg", &err));
    assert_int_equal(err.exit, 1);
    const char *key = strstr(err.text, "device.decode_mb=");
    assert_true(key && strstr(err.text, "large.jpg: decoding takes") == err.text && strstr(err.text, "which is 16"));
    const int mb = atoi(strchr(key, '=') + 1);
    image_memory(mb - 1);
    assert_false(image_decode(&p, jpeg.p, jpeg.size, "large.jpg", &err));
    image_memory(mb);
    assert_true(image_decode(&p, jpeg.p, jpeg.size, "large.jpg", &err));
    image_free(&p);
    put_bytes("large.jpg", jpeg.p, jpeg.size);
    assert_int_equal(truncate(in_folder("large.jpg"), 6 << 20), 0);
    image_memory(16);
    assert_false(image_read(&p, in_folder("large.jpg"), &err));
    assert_non_null(strstr(err.text, "large.jpg: the file has 6 MB: it needs device.decode_mb=19, which is 16"));
    image_memory(DECODE_MB);
    free(jpeg.p);
}

/* All memory is released from the budget, also after errors. */
static void all_memory_is_released(void **state)
{
    enum { TIMES = 40 };
    struct bytes jpeg = progressive(2048, 1024);
    struct image p;
    struct error err;
    (void)state;
    image_memory(32);
    for (int i = 0; i < TIMES; i++) {
        const size_t size = i % 2 ? jpeg.size : jpeg.size / 4096;
        if (image_decode(&p, jpeg.p, size, "cut", &err))
            image_free(&p);
    }
    put_image("small.png", 64, 48);
    for (int i = 0; i < TIMES * 100; i++) {
        assert_true(image_read(&p, in_folder("small.png"), &err));
        image_free(&p);
        assert_false(image_read(&p, in_folder("missing.jpg"), &err));
        assert_non_null(strstr(err.text, "No such file"));
    }
    image_memory(DECODE_MB);
    free(jpeg.p);
}

/* A grey image of 16 x 16 pixels in so many scans, whose head says that it has side x side. */
static struct bytes many_scans(int count, int side)
{
    enum { MOST = 100, BITS = 10 };
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct bytes file = {0};
    unsigned long size = 0;
    unsigned char row[3 * 16] = {0};
    jpeg_scan_info scans[MOST] = { { 1, { 0 }, 0, 0, 0, 0 } };
    for (int i = 1; i < count; i++) {                   /* a coefficient, then its bits one after the other */
        const int bit = BITS - (i - 1) % (BITS + 1), k = 1 + (i - 1) / (BITS + 1);
        scans[i] = (jpeg_scan_info){ 1, { 0 }, k, k, bit == BITS ? 0 : bit + 1, bit };
    }
    simple_jpeg(&jpeg, &messages, 16, 16);
    jpeg_set_colorspace(&jpeg, JCS_GRAYSCALE);
    jpeg.scan_info = scans;
    jpeg.num_scans = count;
    jpeg_mem_dest(&jpeg, &file.p, &size);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 16; y++)
        jpeg_write_scanlines(&jpeg, (JSAMPROW[1]){ row }, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    unsigned char *head = memmem(file.p, size, "\xff\xc2", 2);
    assert_non_null(head);
    head[5] = head[7] = (unsigned char)(side >> 8);
    head[6] = head[8] = (unsigned char)side;
    file.size = (size_t)side * (size_t)side / 512 > size ? (size_t)side * (size_t)side / 512 : size;
    file.p = realloc(file.p, file.size);
    assert_non_null(file.p);
    memset(file.p + size, 0, file.size - size);
    return file;
}

static void scans_are_bounded(void **state)
{
    static const struct { int scans, side; bool good; } cases[] = {
        { 100, 64, true }, { 60, 8192, true }, { 70, 8192, false } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes jpeg = many_scans(cases[i].scans, cases[i].side);
        struct image p;
        struct error err = {0};
        if (image_decode(&p, jpeg.p, jpeg.size, "scans.jpg", &err) != cases[i].good)
            fail_msg("%d scans: %s", cases[i].scans, err.text);
        if (!cases[i].good)
            assert_string_equal(err.text, "scans.jpg: JPEG: more than 64 scans");
        image_free(&p);
        free(jpeg.p);
    }
}

/* ---- the files that were reported ---- */

static void reported_bombs_take_no_memory(void **state)
{
    static const char *const names[] = { "000001.jpg", "arith16k.jpg", "arithprog16k.jpg" };
    char file[100];
    (void)state;
    if (!folder_exists("../shared/reports/30-image-bombs")) {
        print_message("skipped: no ../shared/reports/30-image-bombs\n");
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int failed;
        snprintf(file, sizeof file, "../shared/reports/30-image-bombs/%s", names[i]);
        const long before = peak_of_reading("no/such/file", THREADS, DECODE_MB, &failed);
        const long peak = peak_of_reading(file, THREADS, DECODE_MB, &failed);
        assert_int_equal(failed, THREADS);
        assert_true(!MEMORY_TELLS || peak <= before + 16);
    }
}

/* ---- commands ---- */

static void every_command_keeps_the_key(void **state)
{
    enum { WIDTH = 4096, HEIGHT = 2048 };
    struct bytes jpeg = progressive(WIDTH, HEIGHT);
    static const char *const small = "device.decode_mb=16", *const text = "device.decode_mb=";
    char weights[300], config[300], image[300];
    (void)state;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("run/model_last.safetensors"));
    snprintf(image, sizeof image, "%s", in_folder("large.jpg"));
    works("train", config, NULL);
    put_bytes("large.jpg", jpeg.p, jpeg.size);
    put("large.json", "{\"images\": [{\"id\": 1, \"file_name\": \"large.jpg\", \"width\": 4096, \"height\": 2048}],"
        "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 90, 90]}],"
        "\"categories\": [{\"id\": 1, \"name\": \"car\"}]}");
    char images[400], boxes[400], val_images[400], val_boxes[400];
    snprintf(images, sizeof images, "data.train.img_path=%s", folder);
    snprintf(boxes, sizeof boxes, "data.train.ann_path=%s", in_folder("large.json"));
    snprintf(val_images, sizeof val_images, "data.val.img_path=%s", folder);
    snprintf(val_boxes, sizeof val_boxes, "data.val.ann_path=%s", in_folder("large.json"));
    refused(1, text, "predict", "--weights", weights, image, small, NULL);
    works("predict", "--weights", weights, image, "device.decode_mb=150", NULL);
    refused(2, "device.decode_mb must be a whole number from 16 to 1048576", "predict", "--weights", weights, image,
            "device.decode_mb=1", NULL);
    refused(1, text, "test", config, "--weights", weights, val_images, val_boxes, small, NULL);
    works("test", config, "--weights", weights, val_images, val_boxes, NULL);
    refused(1, text, "heatmap", config, "--weights", weights, "--out", in_folder("heat"), image, small, NULL);
    refused(1, "not one of 1 images can be read", "train", config, images, boxes, small, NULL);
    image_memory(DECODE_MB);
    free(jpeg.p);
}

/* ---- paths that are not regular files ---- */

static void endless_files_are_refused(void **state)
{
    static const struct { const char *name, *what; } kinds[] = {
        { "pipe", "is a named pipe, not a file" }, { "zero", "is a device, not a file" }, { ".", "is a folder" } };
    struct image image;
    struct image_probe probe;
    struct bytes bytes;
    struct error err;
    (void)state;
    assert_true(mkfifo(in_folder("pipe"), 0600) == 0 && symlink("/dev/zero", in_folder("zero")) == 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *const name = in_folder(kinds[i].name);
        assert_false(file_read(&bytes, name, &err));
        assert_non_null(strstr(err.text, kinds[i].what));
        assert_false(image_read(&image, name, &err));
        assert_non_null(strstr(err.text, kinds[i].what));
        assert_false(image_probe(name, &probe, &err));
        assert_non_null(strstr(err.text, kinds[i].what));
    }
    put("ten", "0123456789");
    assert_false(file_read_max(&bytes, in_folder("ten"), 9, &err));
    assert_non_null(strstr(err.text, "ten: has 10 bytes; at most 9 are read"));
    assert_true(file_read_max(&bytes, in_folder("ten"), 10, &err));
    bytes_free(&bytes);
    assert_int_equal(truncate(in_folder("ten"), (off_t)(machine_memory() / 4 + 1)), 0);     /* no block of it is used */
    assert_false(file_read(&bytes, in_folder("ten"), &err));
    assert_true(err.content && strstr(err.text, "bytes; at most"));
}

/* Such paths come from <(command) in a shell and from a pipe to standard input. */
static void a_pipe_of_this_process_is_read(void **state)
{
    enum { PIECE = 1 << 16 };
    static char piece[PIECE];
    struct bytes bytes;
    struct error err = {0};
    int ends[2];
    char name[40];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            if (write(ends[1], piece, PIECE) != PIECE)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    if (!file_read(&bytes, name, &err))
        fail_msg("%s", err.text);
    assert_int_equal(bytes.size, 3 * PIECE);
    bytes_free(&bytes);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Fourteen folders of four links each to the next one: 4^14 paths lead to the last. */
static void links_do_not_multiply(void **state)
{
    enum { LEVELS = 14, LINKS = 4 };
    char name[40], target[40];
    struct string_list files;
    struct error err = {0};
    (void)state;
    for (int i = 0; i <= LEVELS; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(mkdir(in_folder(name), 0700), 0);
        for (int k = 0; i > 0 && k < LINKS; k++) {
            snprintf(name, sizeof name, "%d/link%d", i - 1, k);
            snprintf(target, sizeof target, "../%d", i);
            assert_int_equal(symlink(target, in_folder(name)), 0);
        }
    }
    assert_false(folder_tree(&files, in_folder("0"), &err));
    assert_non_null(strstr(err.text, "more than 100000 folders"));
    assert_null(files.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_kept_without_starvation), cmocka_unit_test(lowered_limits_wake_waiting_threads),
        cmocka_unit_test_setup_teardown(threads_share_the_memory, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(too_large_images_name_the_limit_they_need, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(all_memory_is_released, make_folder, remove_folder),
        cmocka_unit_test(scans_are_bounded), cmocka_unit_test(reported_bombs_take_no_memory),
        cmocka_unit_test_setup_teardown(every_command_keeps_the_key, tiny_setup, remove_folder),
        cmocka_unit_test_setup_teardown(endless_files_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(links_do_not_multiply, make_folder, remove_folder),
        cmocka_unit_test(a_pipe_of_this_process_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
