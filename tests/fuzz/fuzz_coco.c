/* COCO JSON of any bytes: read, or refused. */
#include "data/coco.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dataset_builder b = {0};
    struct dataset set = {0};
    struct error err;
    if (coco_parse(&b, (struct bytes){ (unsigned char *)(uintptr_t)data, size }, "fuzz", &err))
        build_end(&b, &set, "fuzz", &err);
    build_free(&b);
    dataset_free(&set);
    return 0;
}
