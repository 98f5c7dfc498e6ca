/* cli/export.c -- the network that detects, without what only training needs, in a file of its own. */
#include "base/table.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "data/sample.h"
#include "model/export.h"

const struct option export_options[] = {
    { "weights",  "FILE", NULL,          "the model's weights, whatever their format (default: schedule.load_model)" },
    { "out",      "PATH", NULL,          "where to write; of ncnn X.param, and X.bin beside it" },
    { "format",   "NAME", "safetensors", "safetensors, onnx or ncnn" },
    { "fp16",     NULL,   NULL,          "numbers of 16 bits" },
    { "no-fold",  NULL,   NULL,          "leave batch norms and parallel branches apart from the convolutions" },
    { "output",   "raw|boxes|nms", "raw", "onnx: scores and distances, scores and boxes, or those that survive" },
    { "batch",    "N",    "1",           "onnx: images a run; 0: any number" },
    { "any-size", NULL,   NULL,          "onnx: images of any size, not of data.val.input_size alone" },
    {0} };

static const struct word outputs[] = {
    { "raw", ONNX_RAW }, { "boxes", ONNX_DECODED }, { "nms", ONNX_SUPPRESSED }, {0} };

static bool read_options(const struct args *args, struct export_options *o, const struct export_format **format,
                         struct error *err)
{
    const char *name = args_text(args, "format"), *output = args_text(args, "output");
    const struct word *word = find_row(output, outputs, sizeof *word);
    *format = find_row(name, export_formats, sizeof **format);
    *o = (struct export_options){ .half = args_flag(args, "fp16"), .fold = !args_flag(args, "no-fold"),
                                  .output = word ? (enum onnx_output)word->value : ONNX_RAW,
                                  .any_size = args_flag(args, "any-size"), .threads = args->threads };
    if (!*format)
        return misuse(err, "export: --format %s: no such format; did you mean %s?", name,
                      nearest_name(name, export_formats, sizeof **format));
    if (!word)
        return misuse(err, "export: --output %s: no such output; did you mean %s?", output,
                      nearest_name(output, outputs, sizeof *word));
    return args_int(args, "batch", 0, 65536, &o->images, err)
        && ((*format)->runs_alone || (o->output == ONNX_RAW && o->images == 1 && !o->any_size)
            || misuse(err, "export: --output, --batch and --any-size are for onnx, not for %s", name));
}

/* The network takes whole multiples of 32. */
static void tell_padding(const char *out, const int size[2])
{
    const int w = padded_side(size[0]), h = padded_side(size[1]);
    if (w != size[0] || h != size[1])
        fprintf(stderr, "%s: its input is %d x %d: data.val.input_size [%d, %d] padded to multiples of 32\n", out, w, h,
                size[0], size[1]);
}

bool export_run(const struct args *args, struct error *err)
{
    const char *out = args_text(args, "out");
    const struct export_format *format;
    struct export_options options;
    struct session session = {0};
    struct verification v;
    if (!read_options(args, &options, &format, err))
        return false;
    if (!out)
        return misuse(err, "export: --out PATH must be given");
    const bool ok = session_open(&session, args, err) && session_load(&session, args, err)
                 && model_export(&session.model, out, format, &options, &v, err);
    if (ok)
        tell_padding(out, session.config.val.input_size);
    if (ok)
        fprintf(stderr, "%s: read back and run on %d %s: outputs up to %.3g differ by at most %.2g\n", out, v.images,
                v.generated ? "drawn scenes" : "images of data.val", v.largest, v.worst);
    session_close(&session);
    return ok;
}
