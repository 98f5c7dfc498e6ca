#include "interop/weights_file.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "interop/ncnn/ncnn.h"
#include "interop/onnx/onnx.h"
#include "interop/pytorch.h"
#include "interop/safetensors.h"

/* The first that recognises a file reads it. */
static const struct weights_format {
    const char *name;
    bool (*recognises)(struct bytes file);
    bool (*read)(struct tensors *out, struct bytes file, const char *path, struct error *err);
} formats[] = {
    { "PyTorch (zip)",    is_pytorch_zip,    pytorch_zip_read },
    { "PyTorch (legacy)", is_pytorch_legacy, pytorch_legacy_read },
    { "safetensors",      is_safetensors,    safetensors_index },
    {0} };

static const struct network_format {
    const char *name;
    bool (*recognises)(struct bytes file);
    bool (*read)(struct network *, struct bytes file, const char *path, struct error *err);
} network_formats[] = {
    { "ncnn", is_ncnn, ncnn_read },
    { "ONNX", is_onnx, onnx_read },
    {0} };

bool weights_file_read(struct tensors *out, struct network *net, const char *path, struct error *err)
{
    struct strbuf known = {0};
    *out = (struct tensors){0};
    *net = (struct network){0};
    if (!file_read(&out->file, path, err))
        return false;
    for (const struct weights_format *f = formats; f->name; f++)
        if (f->recognises(out->file))
            return f->read(out, out->file, path, err);
    for (const struct network_format *f = network_formats; f->name; f++)
        if (f->recognises(out->file))
            return f->read(net, out->file, path, err) && network_check(net, path, err);
    for (const struct weights_format *f = formats; f->name; f++)
        strbuf_addf(&known, "%s, ", f->name);
    for (const struct network_format *f = network_formats; f->name; f++)
        strbuf_addf(&known, "%s%s", f->name, f[1].name ? ", " : "");
    fail(err, "%s: is in none of the formats %s", path, known.s ? known.s : "");
    strbuf_free(&known);
    return false;
}
