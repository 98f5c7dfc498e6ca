/* A VisDrone annotation file of any bytes: read, or refused. */
#include "data/visdrone.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dataset_builder b = {0};
    struct error err;
    visdrone_parse(&b, 1, (struct bytes){ (unsigned char *)(uintptr_t)data, size }, "fuzz", &err);
    build_free(&b);
    return 0;
}
