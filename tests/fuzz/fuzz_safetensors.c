/* Reads any bytes as a safetensors file; accepted files are read to the last element, with the
 * description of a model.  Writing and reading an accepted description must give an equal one. */
#include "base/file.h"
#include "base/strbuf.h"
#include "interop/safetensors.h"
#include "weights/file_config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_description(const struct tensors *t)
{
    struct error err = {0};
    struct config first = {0}, second = {0};
    struct strbuf text = {0}, again = {0};
    struct tensors copy = {0};
    const bool ok = file_config_parse(&first, t, "input", NULL, 0, &err);
    if (!ok && (!err.exit || !err.text[0]))
        abort();
    if (ok && file_config_write(&first, &text, &err)
        && (!file_config_add(text.s, &copy, &err) || !file_config_parse(&second, &copy, "output", NULL, 0, &err)
            || !file_config_write(&second, &again, &err) || strcmp(text.s, again.s) != 0))
        abort();
    strbuf_free(&text);
    strbuf_free(&again);
    tensors_free(&copy);
    config_free(&first);
    config_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct tensors t = {0};
    const bool ok = safetensors_index(&t, (struct bytes){ (unsigned char *)data, size }, "input", &err);
    for (int i = 0; ok && i < t.count; i++) {
        double *out = calloc(tensor_count(&t.list[i]) + 1, sizeof *out);
        tensor_doubles(&t.list[i], out);
        if (tensors_find(&t, t.list[i].name) != &t.list[i])
            abort();
        free(out);
    }
    if (ok)
        read_description(&t);
    else if (err.exit != 1 || !err.text[0])
        abort();
    tensors_free(&t);
    return 0;
}
