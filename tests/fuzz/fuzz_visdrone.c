/* A VisDrone annotation file of any bytes: read, or refused. */
#include "base/file.h"
#include "data/visdrone.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = decoded(data, size);
    struct dataset_builder b = {0};
    if (text.p)
        visdrone_parse(&b, 1, text, "fuzz", NULL);
    build_free(&b);
    bytes_free(&text);
    return 0;
}
