/* Reads any bytes as a param file, up to the first that is 0, and what follows as its weights; of what is accepted all
 * weights are read. */
#include "base/file.h"
#include "interop/ncnn/ncnn.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    const size_t text = end ? (size_t)(end - data) : size, rest = end ? size - text - 1 : 0;
    unsigned char *weights = malloc(rest + 1);                  /* of just that size: no byte beyond is read unseen */
    struct error err = {0};
    struct network net = {0};
    memcpy(weights, data + size - rest, rest);
    if (ncnn_parse(&net, (struct bytes){ (unsigned char *)data, text }, (struct bytes){ weights, rest }, "input", &err))
        for (int i = 0; i < net.weights.count; i++) {
            float *numbers = calloc(tensor_count(&net.weights.list[i]) + 1, sizeof *numbers);
            tensor_floats(&net.weights.list[i], numbers);
            free(numbers);
        }
    else if (err.exit != 1 || !err.text[0])
        abort();
    network_free(&net);
    free(weights);
    return 0;
}
