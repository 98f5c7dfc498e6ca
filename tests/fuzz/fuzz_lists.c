/* Any bytes as a file that lists classes, as lines and as data.yaml, and as one that lists images. */
#include "base/string_list.h"
#include "data/lists.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_classes(const char *path)
{
    struct string_list classes = {0};
    struct error err = {0};
    if (path && class_list_read(&classes, path, &err)) {
        string_list_sort(&classes);
        for (int i = 1; i < classes.count; i++)
            if (strcmp(classes.list[i - 1], classes.list[i]) == 0)
                abort();
    } else if (path && !err.exit)
        abort();
    string_list_free(&classes);
}

static void keep_images(const char *path)
{
    static const char *const files[] = { "a.jpg", "b/a.jpg", "c d.png", "\xc3\xa4.jpeg" };
    struct dataset_builder b = {0};
    struct dataset set = {0};
    struct error err = {0};
    bool ok = path && build_category(&b, 1, "car", NULL);
    for (int i = 0; ok && i < 4; i++) {
        const struct annotation a = { .id = i + 1, .box = { 1, 1, 9, 9 }, .area = 81 };
        ok = build_image(&b, i + 1, files[i], 64, 48, NULL) && build_annotation(&b, &a, i + 1, 1, "", NULL);
    }
    if (ok && image_list_keep(&b, path, &err) && build_end(&b, &set, "fuzz", &err)
        && set.image_count != set.annotation_count)
        abort();
    build_free(&b);
    dataset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_classes(scratch_file("classes.txt", data, size));
    read_classes(scratch_file("data.yaml", data, size));
    keep_images(scratch_file("list.txt", data, size));
    return 0;
}
