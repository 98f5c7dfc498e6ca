/* Reads any bytes as a file of torch.save in either layout; accepted files are read to the last element. */
#include "base/file.h"
#include "interop/pytorch.h"
#include "interop/state_dict.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct tensors t = {0};
    const struct bytes file = { (unsigned char *)data, size };
    const bool ok = is_pytorch_zip(file) ? pytorch_zip_read(&t, file, "input", &err)
                                                  : pytorch_legacy_read(&t, file, "input", &err);
    if (ok && normalise_weight_names(&t, "input", &err))
        for (int i = 0; i < t.count; i++) {
            double *out = calloc(tensor_count(&t.list[i]) + 1, sizeof *out);
            tensor_doubles(&t.list[i], out);
            free(out);
        }
    else if (err.exit != 1 || !err.text[0])
        abort();
    tensors_free(&t);
    return 0;
}
