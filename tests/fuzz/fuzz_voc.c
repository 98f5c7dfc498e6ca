/* A VOC annotation file of any bytes: read, or refused. */
#include "data/voc.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct voc voc;
    struct error err;
    voc_parse(&voc, (struct bytes){ (unsigned char *)(uintptr_t)data, size }, "fuzz", &err);
    voc_free(&voc);
    return 0;
}
