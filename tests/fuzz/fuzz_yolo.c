/* A YOLO annotation file of any bytes: boxes within the image, or problems. */
#include "base/file.h"
#include "data/yolo.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct yolo_image image = { 1, 640, 480 };
    static const char *const names[] = { "a", "b", "c" };
    struct bytes text = decoded(data, size);
    struct dataset_builder b = { .clip = true, .round = true };
    struct dataset set = {0};
    const bool ok = text.p && build_classes(&b, names, 3, NULL) && build_image(&b, 1, "a.jpg", 640, 480, NULL)
                 && yolo_parse(&b, image, 3, text, "fuzz", NULL) && build_end(&b, &set, "fuzz", NULL);
    for (int i = 0; ok && i < set.annotation_count; i++) {
        const double *box = set.annotations[i].box;
        if (!(box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= 640 && box[1] + box[3] <= 480))
            abort();
    }
    build_free(&b);
    dataset_free(&set);
    bytes_free(&text);
    return 0;
}
