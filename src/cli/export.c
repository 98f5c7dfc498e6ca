/* cli/export.c -- writes the detection network, without the parts that only training needs. */
#include "base/atomic_file.h"
#include "base/escape.h"
#include "base/path.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "data/sample.h"
#include "export/export.h"
#include "train/checkpoint.h"
#include <stdlib.h>
#include <strings.h>

const struct option export_options[] = {
    { "weights",  "FILE", NULL,          "weights of the model, in any format (default: schedule.load_model)" },
    { "out",      "PATH", NULL,          "the file to write; for ncnn X.param, with X.bin beside it" },
    { "format",   "NAME", NULL,          "safetensors, onnx or ncnn (default: as PATH ends, .safetensors, .onnx or "
                                         ".param; else safetensors)" },
    { "fp16",     NULL,   NULL,          "16-bit floating point weights" },
    { "no-fold",  NULL,   NULL,          "do not fold batch norms and parallel branches into convolutions" },
    { "output",   "raw|boxes|nms", "raw", "onnx: scores and distances, scores and boxes, or detections after NMS" },
    { "batch",    "N",    "1",           "onnx: images per run; 0: any number" },
    { "any-size", NULL,   NULL,          "onnx: images of any size instead of data.val.input_size" },
    {0} };

static const struct word outputs[] = {
    { "raw", ONNX_RAW }, { "boxes", ONNX_DECODED }, { "nms", ONNX_SUPPRESSED }, {0} };

/* Endings of files that export does not write under that name. */
static const struct foreign { const char *ending, *what; } foreign[] = {
    { ".bin", "the weights of ncnn; give the .param" }, { ".pth", "PyTorch" }, { ".pt", "PyTorch" },
    { ".ckpt", "PyTorch" }, { ".tflite", "TensorFlow Lite" }, { ".json", "JSON" }, { ".yml", "YAML" },
    { ".yaml", "YAML" }, { ".jpg", "JPEG" }, { ".png", "PNG" }, { ".txt", "text" }, {0} };

static const struct export_format *format_of_ending(const char *path)
{
    const char *ending = path + path_stem_length(path);
    const struct export_format *format = export_formats;
    while (format->name && strcasecmp(ending, format->suffix) != 0)
        format++;
    return format->name ? format : NULL;
}

/* Refuses a file name whose ending belongs to another format. */
static bool ending_fits(const struct export_format *format, const char *path, struct error *err)
{
    const struct export_format *own = format_of_ending(path);
    const struct foreign *other = foreign;
    while (other->ending && strcasecmp(path + path_stem_length(path), other->ending) != 0)
        other++;
    if (own && own != format)
        return misuse(err, "export: --out %.200s ends as files of %s do, but --format is %s", path, own->name,
                      format->name);
    return !other->ending
        || misuse(err, "export: --out %.200s ends as files of another kind do (%s), but the format is %s", path,
                  other->what, format->name);
}

/* --format, or the format of the path's ending.  Neither the path nor the file behind links may contradict it. */
static bool choose_format(const struct export_format **format, const char *name, const char *path, struct error *err)
{
    const struct export_format *ending = format_of_ending(path);
    *format = name ? find_row(name, export_formats, sizeof **format) : ending ? ending : export_formats;
    if (!*format)
        return misuse(err, "export: --format %s: no such format; did you mean %s?", name,
                      nearest_name(name, export_formats, sizeof **format));
    char *target = atomic_target(path, err);
    const bool ok = target && ending_fits(*format, path, err) && ending_fits(*format, target, err);
    free(target);
    return ok;
}

static bool read_options(const struct args *args, struct export_options *o, const struct export_format **format,
                         struct error *err)
{
    const char *output = args_text(args, "output"), *out = args_text(args, "out");
    const struct word *word = find_row(output, outputs, sizeof *word);
    *o = (struct export_options){ .half = args_flag(args, "fp16"), .fold = !args_flag(args, "no-fold"),
                                  .output = word ? (enum onnx_output)word->value : ONNX_RAW,
                                  .any_size = args_flag(args, "any-size") };
    if (!out)
        return misuse(err, "export: --out PATH must be given");
    if (!choose_format(format, args_text(args, "format"), out, err))
        return false;
    if (!word)
        return misuse(err, "export: --output %s: no such output; did you mean %s?", output,
                      nearest_name(output, outputs, sizeof *word));
    return args_int(args, "batch", 0, 65536, &o->images, err)
        && ((*format)->is_network || (o->output == ONNX_RAW && o->images == 1 && !o->any_size)
            || misuse(err, "export: --output, --batch and --any-size are for onnx, not for %s", (*format)->name));
}

/* The sides of the network's input are multiples of 32. */
static void tell_padding(const char *out, const int size[2])
{
    const int w = padded_side(size[0]), h = padded_side(size[1]);
    if (w != size[0] || h != size[1])
        print_line(stderr, "%s: its input is %d x %d: data.val.input_size [%d, %d] padded to multiples of 32", out, w,
                   h, size[0], size[1]);
}

bool export_run(const struct args *args, struct error *err)
{
    const char *out = args_text(args, "out");
    const struct export_format *format = NULL;
    struct export_options options;
    struct session session = {0};
    struct verification v;
    struct error left = {0};
    if (!read_options(args, &options, &format, err))
        return false;
    options.policy = &session.policy;
    const bool ok = session_open(&session, args, err) && session_load(&session, args, err)
                 && checkpoint_threshold(session_weights(&session, args), &options.score_threshold, err)
                 && model_export(&session.model, out, format, &options, &v, &left, err);
    if (left.exit)
        show_line("", left.text);
    if (ok)
        tell_padding(out, session.config.val.input_size);
    if (ok)
        print_line(stderr, "%s: read back and run on %d %s: outputs up to %.3g differ by at most %.2g", out, v.images,
                   v.generated ? "drawn scenes" : "images of data.val", v.max_output, v.max_error);
    session_close(&session);
    return ok;
}
