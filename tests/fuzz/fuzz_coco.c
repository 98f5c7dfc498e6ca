/* COCO JSON of any bytes: read, or refused. */
#include "base/file.h"
#include "data/coco.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = decoded(data, size);
    struct dataset_builder b = {0};
    struct dataset set = {0};
    struct error err;
    if (text.p && coco_parse(&b, text, "fuzz", &err))
        build_end(&b, &set, "fuzz", &err);
    build_free(&b);
    dataset_free(&set);
    bytes_free(&text);
    return 0;
}
