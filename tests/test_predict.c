/* tests/test_predict.c -- predict and heatmap with some unreadable images. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/image.h"
#include "tiny_weights.h"
#include "typed.h"

enum { GOOD = 3 };
static const char *const good[GOOD] = { "a.jpg", "b.JPEG", "c.Jfif" };
static char config[100], weights[120], images[120];

static void put(const char *path, const void *p, size_t size)
{
    struct error err = {0};
    if (!file_write(path, p, size, &err))
        fail_msg("%s", err.text);
}

/* A folder with three good images, `bad` files that are none, one that is cut short, and a text. */
static void make_images(int bad)
{
    struct error err = {0};
    struct bytes jpeg = {0};
    char path[160], name[160];
    remove_all(images);
    assert_true(make_folders(images, &err) && file_read(&jpeg, in_folder("data/images/val/000003.jpg"), &err));
    for (int i = 0; i < GOOD; i++) {
        snprintf(path, sizeof path, "%s/%s", images, good[i]);
        put(path, jpeg.p, jpeg.size);
    }
    for (int i = 0; i < bad; i++) {
        snprintf(name, sizeof name, "%s/b%02d.png", images, i);
        put(name, "GIF89a", 6);
    }
    snprintf(path, sizeof path, "%s/bcut.jpg", images);
    put(path, jpeg.p, 100);
    snprintf(path, sizeof path, "%s/notes.txt", images);
    put(path, "text", 4);
    bytes_free(&jpeg);
}

static int lines_of(const char *path, const char *wanted)
{
    struct error err = {0};
    struct bytes text = {0};
    int lines = 0;
    assert_true(file_read(&text, path, &err));
    if (!strstr((char *)text.p, wanted))
        fail_msg("no %s in: %s", wanted, (char *)text.p);
    for (size_t i = 0; i < text.size; i++)
        lines += text.p[i] == '\n';
    bytes_free(&text);
    return lines;
}

/* From here to end_stderr the lines on stderr go to the file `stderr` of the folder. */
static int begin_stderr(void)
{
    fflush(stderr);
    const int screen = dup(STDERR_FILENO);
    assert_true(screen >= 0 && freopen(in_folder("stderr"), "w", stderr));
    return screen;
}

static void end_stderr(int screen)
{
    fflush(stderr);
    dup2(screen, STDERR_FILENO);
    close(screen);
}

/* Runs the command with stderr in a file, where it must name the first bad file in at most 11 lines: main adds one. */
static void fails_at_the_end(const char *command, const char *option, const char *to, int bad)
{
    char message[40];
    const int screen = begin_stderr();
    snprintf(message, sizeof message, "%d of %d images", bad + 1, bad + 1 + GOOD);
    refused(1, message, command, config, "--weights", weights, "--score", "0.01", option, to, images, NULL);
    end_stderr(screen);
    assert_in_range(lines_of(in_folder("stderr"), bad ? "b00.png: " : "bcut.jpg: "), 1, 11);
}

static void check_list(const char *name)
{
    cJSON *list = json_of(name);
    assert_int_equal(cJSON_GetArraySize(list), GOOD);
    for (int i = 0; i < GOOD; i++) {
        const cJSON *file = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(list, i), "file");
        assert_string_equal(path_name(file->valuestring), good[i]);
    }
    cJSON_Delete(list);
}

static void predict_uses_all_readable_images(void **state)
{
    (void)state;
    for (int bad = 0; bad <= 20; bad += 20) {
        make_images(bad);
        fails_at_the_end("predict", "--json", in_folder("found.json"), bad);
        check_list("found.json");
    }
    struct string_list drawn = {0};
    struct error err = {0};
    fails_at_the_end("predict", "--out", in_folder("drawn"), 20);
    assert_true(folder_list(&drawn, in_folder("drawn"), &err));
    assert_int_equal(drawn.count, GOOD);
    string_list_free(&drawn);
}

static void predict_writes_an_empty_list_if_no_image_can_be_read(void **state)
{
    char cut[160];
    (void)state;
    make_images(0);
    snprintf(cut, sizeof cut, "%s/bcut.jpg", images);
    refused(1, "bcut.jpg: JPEG", "predict", config, "--weights", weights, "--json", in_folder("none.json"), cut, NULL);
    cJSON *list = json_of("none.json");
    assert_true(cJSON_IsArray(list));
    assert_int_equal(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
}

static void tiles_are_taken_from_the_command_line(void **state)
{
    static const char *const good_sizes[] = { "48", "64x40", "auto" }, *const bad_sizes[] = {
        "8", "48x", "48x9999", "0", "small", "4e9" };
    const char *image = in_folder("data/images/val/000003.jpg");
    (void)state;
    for (int i = 0; i < 3; i++)
        works("predict", config, "--weights", weights, "--tiles", good_sizes[i], "--json", in_folder("t.json"), image,
              NULL);
    for (int i = 0; i < 6; i++)
        refused(2, "--tiles", "predict", config, "--weights", weights, "--tiles", bad_sizes[i], image, NULL);
    refused(2, "WIDTHxHEIGHT or auto", "predict", config, "--weights", weights, "--tiles", "atuo", image, NULL);
    works("test", config, "--weights", weights, "--tiles", "48", "--json", in_folder("score.json"), NULL);
}

/* A write error is not an image error: it ends the command. */
static void predict_ends_at_write_errors(void **state)
{
    char blocked[160];
    (void)state;
    make_images(0);
    snprintf(blocked, sizeof blocked, "%s/a.jpg", in_folder("blocked"));
    assert_true(make_folders(blocked, NULL));
    refused(1, "blocked/a.jpg", "predict", config, "--weights", weights, "--out", in_folder("blocked"), images, NULL);
    refused(1, "/no/folder", "predict", config, "--weights", weights, "--json", "/no/folder/x.json", images, NULL);
}

static void heatmap_uses_all_readable_images(void **state)
{
    struct string_list drawn = {0};
    struct error err = {0};
    (void)state;
    make_images(20);
    fails_at_the_end("heatmap", "--out", in_folder("heat"), 20);
    assert_true(folder_list(&drawn, in_folder("heat"), &err));
    assert_int_equal(drawn.count, 4 * GOOD);                    /* an image per level */
    string_list_free(&drawn);
}

/* Truncates the good images behind the first `whole`. */
static void truncate_good_images(int whole)
{
    struct error err = {0};
    for (int i = whole; i < GOOD; i++) {
        struct bytes jpeg = {0};
        char path[160];
        snprintf(path, sizeof path, "%s/%s", images, good[i]);
        assert_true(file_read(&jpeg, path, &err));
        put(path, jpeg.p, jpeg.size / 2);
        bytes_free(&jpeg);
    }
}

static void truncated_images_are_used_and_named(void **state)
{
    static const struct { const char *command, *option, *to; } runs[] = {
        { "predict", "--json", "found.json" }, { "heatmap", "--out", "heat" }, {0} };
    char line[400];
    (void)state;
    for (int i = 0; runs[i].command; i++) {
        make_images(20);
        truncate_good_images(1);
        snprintf(line, sizeof line, "truncated images, read as far as they go: 2 of %d: %s/%s, %s/%s\n", 21 + GOOD,
                 images, good[1], images, good[2]);
        fails_at_the_end(runs[i].command, runs[i].option, in_folder(runs[i].to), 20);
        lines_of(in_folder("stderr"), line);
    }
    check_list("found.json");
}

static void one_truncated_image_is_no_failure(void **state)
{
    char cut[160];
    (void)state;
    make_images(0);
    truncate_good_images(0);
    snprintf(cut, sizeof cut, "%s/%s", images, good[0]);
    const int screen = begin_stderr();
    works("predict", config, "--weights", weights, "--json", in_folder("found.json"), cut, NULL);
    end_stderr(screen);
    lines_of(in_folder("stderr"), "read as far as they go: 1 of 1: ");
}

static int set_up(void **state)
{
    struct error err = {0};
    (void)state;
    const bool ok = tiny_make_weights("weights.safetensors", &err);
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("weights.safetensors"));
    snprintf(images, sizeof images, "%s", in_folder("mixed"));
    if (!ok)
        print_error("%s\n", err.text);
    return ok ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predict_uses_all_readable_images),
        cmocka_unit_test(predict_writes_an_empty_list_if_no_image_can_be_read),
        cmocka_unit_test(tiles_are_taken_from_the_command_line),
        cmocka_unit_test(predict_ends_at_write_errors),
        cmocka_unit_test(heatmap_uses_all_readable_images),
        cmocka_unit_test(truncated_images_are_used_and_named),
        cmocka_unit_test(one_truncated_image_is_no_failure) };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
