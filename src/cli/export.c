/* cli/export.c -- the network that detects, without what only training needs, in a file of its own. */
#include "base/table.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "model/export.h"

const struct option export_options[] = {
    { "weights", "FILE", NULL,          "the model's weights, whatever their format (default: schedule.load_model)" },
    { "out",     "PATH", NULL,          "where to write; of ncnn X.param, and X.bin beside it" },
    { "format",  "NAME", "safetensors", "safetensors, onnx or ncnn" },
    { "fp16",    NULL,   NULL,          "numbers of 16 bits" },
    { "no-fold", NULL,   NULL,          "leave batch norms and parallel branches apart from the convolutions" },
    {0} };

bool export_run(const struct args *args, struct error *err)
{
    const char *name = args_text(args, "format"), *out = args_text(args, "out");
    const struct export_format *format = find_row(name, export_formats, sizeof *format);
    const struct export_options options = { .half = args_flag(args, "fp16"), .fold = !args_flag(args, "no-fold"),
                                            .threads = args->threads };
    struct session session = {0};
    struct verification v;
    if (!format)
        return misuse(err, "export: --format %s: no such format; did you mean %s?", name,
                      nearest_name(name, export_formats, sizeof *format));
    if (!out)
        return misuse(err, "export: --out PATH must be given");
    const bool ok = session_open(&session, args, err) && session_load(&session, args, err)
                 && model_export(&session.model, out, format, &options, &v, err);
    if (ok)
        fprintf(stderr, "%s: read back and run on %d %s: outputs up to %.3g differ by at most %.2g\n", out, v.images,
                v.generated ? "drawn scenes" : "images of data.val", v.largest, v.worst);
    session_close(&session);
    return ok;
}
