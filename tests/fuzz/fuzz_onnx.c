/* Reads any bytes as an ONNX file; all weights of an accepted file are read. */
#include "base/file.h"
#include "interop/onnx/onnx.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size + 1);                     /* of just that size: no byte beyond is read unseen */
    struct error err = {0};
    struct network net = {0};
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    const struct bytes file = { copy, size };
    is_onnx(file);
    if (onnx_read(&net, file, "input", &err))
        for (int i = 0; i < net.weights.count; i++) {
            float *numbers = calloc(tensor_count(&net.weights.list[i]) + 1, sizeof *numbers);
            if (numbers)
                tensor_floats(&net.weights.list[i], numbers);
            free(numbers);
        }
    else if (err.exit != 1 || !err.text[0])
        abort();
    network_free(&net);
    free(copy);
    return 0;
}
