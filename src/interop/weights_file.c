#include "interop/weights_file.h"

#include "interop/pytorch.h"
#include "interop/safetensors.h"

/* The first that recognises a file reads it. */
static const struct format {
    const char *name;
    bool (*recognises)(struct bytes file);
    bool (*read)(struct tensors *out, struct bytes file, const char *path, struct error *err);
} formats[] = {
    { "PyTorch (zip)",    pytorch_zip_recognises,    pytorch_zip_read },
    { "PyTorch (legacy)", pytorch_legacy_recognises, pytorch_legacy_read },
    { "safetensors",      safetensors_recognises,    safetensors_index },
    {0} };

bool weights_file_read(struct tensors *out, const char *path, struct error *err)
{
    struct text known = {0};
    *out = (struct tensors){0};
    if (!file_read(&out->file, path, err))
        return false;
    for (const struct format *f = formats; f->name; f++)
        if (f->recognises(out->file))
            return f->read(out, out->file, path, err);
    for (const struct format *f = formats; f->name; f++)
        text_add(&known, "%s%s", f == formats ? "" : ", ", f->name);
    fail(err, "%s: is in none of the formats %s", path, known.s ? known.s : "");
    text_free(&known);
    return false;
}
