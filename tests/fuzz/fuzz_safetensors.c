/* Reads any bytes as a safetensors file; what is accepted is read to its last element. */
#include "interop/safetensors.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct tensors t = {0};
    if (safetensors_index(&t, (struct bytes){ (unsigned char *)data, size }, "input", &err))
        for (int i = 0; i < t.count; i++) {
            double *out = calloc(tensor_count(&t.list[i]) + 1, sizeof *out);
            tensor_doubles(&t.list[i], out);
            if (tensors_find(&t, t.list[i].name) != &t.list[i])
                abort();
            free(out);
        }
    else if (err.exit != 1 || !err.text[0])
        abort();
    tensors_free(&t);
    return 0;
}
