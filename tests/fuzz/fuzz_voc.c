/* A VOC annotation file of any bytes: read, or refused. */
#include "base/file.h"
#include "data/voc.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = decoded(data, size);
    struct dataset set = {0};
    struct image_annotations voc = {0};
    if (text.p && !voc_parse(&voc, text, "fuzz", &set) && set.problems.count == 0)
        abort();
    for (int i = 0; i < voc.count; i++)
        if (!text_is_utf8(voc.boxes[i].name))
            abort();
    image_annotations_free(&voc);
    dataset_free(&set);
    bytes_free(&text);
    return 0;
}
