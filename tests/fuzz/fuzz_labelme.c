/* A LabelMe file of any bytes: read, or refused. */
#include "base/file.h"
#include "data/labelme.h"
#include "text.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = decoded(data, size);
    struct dataset set = {0};
    struct image_annotations found = {0};
    if (text.p && !labelme_parse(&found, text, "fuzz", &set) && set.problems.count == 0)
        abort();
    for (int i = 0; i < found.count; i++) {
        const struct named_box *box = &found.boxes[i];
        if (!*box->name || !(box->x1 <= box->x2 && box->y1 <= box->y2) || !isfinite(box->x1) || !isfinite(box->y2))
            abort();
    }
    image_annotations_free(&found);
    dataset_free(&set);
    bytes_free(&text);
    return 0;
}
