/* cli/convert.c -- annotations of other formats as COCO JSON. */
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "data/coco.h"
#include "data/validate.h"
#include <stdlib.h>

const struct option convert_options[] = {
    { "out",     "FILE", NULL, "the JSON to write" },
    { "images",  "LIST", NULL, "only the images of this text file, one name per line" },
    { "classes", "LIST", NULL, "the classes, in this order: a text file, one per line, or a data.yaml" },
    {0} };

bool convert_run(const struct args *args, struct error *err)
{
    const char *out = args_text(args, "out");
    struct dataset set = {0};
    const struct validation validation = { .use = USE_CONVERSION, .path = args->rest[1] };
    if (!out)
        return misuse(err, "convert: --out FILE must be given");
    if (!args_json_name(args, "out", out, err))
        return false;
    const bool ok = dataset_read_layout(&set, args->rest[0], args->rest[1], args_text(args, "images"),
                                        args_text(args, "classes"), err)
                 && dataset_validate(&set, &validation, err)
                 && dataset_write_coco(&set, out, err)
                 && show_notes(&set, "", err);
    if (ok)
        print_line(stderr, "%s: %d images, %d boxes, %d categories", out, set.image_count, set.annotation_count,
                   set.category_count);
    dataset_free(&set);
    return ok;
}
