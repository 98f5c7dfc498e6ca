/* cli/heatmap.c -- colours the parts of images that the detections depend on (runtime/grad_cam.h). */
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/session.h"
#include "report/heat.h"
#include "runtime/grad_cam.h"
#include <stdlib.h>
#include <string.h>

const struct option heatmap_options[] = {
    { "weights", "FILE",   NULL,   "weights of the model, in any format (default: schedule.load_model)" },
    { "out",     "DIR",    NULL,   "folder for the images IMAGE_LAYER, one per layer" },
    { "layer",   "NAME",   NULL,   "a layer by its name in info (default: the neck's outputs)" },
    { "score",   "NUMBER", NULL,   "explain detections above this, or else the best (default as for predict)" },
    {0} };

struct heatmap {
    struct session session;
    struct grad_cam cam;
    const char *out;
    struct inputs inputs;
    struct failures failures;
};

/* "street.jpg" and "stride8": "street_stride8.jpg". */
static bool write_heat(const struct heatmap *h, const struct image *image, const char *file,
                       const struct layer_heatmap *heat, struct error *err)
{
    const char *name = path_name(file), *dot = strrchr(name, '.'), *end = dot ? dot : ".jpg";
    struct image drawn = {0};
    struct strbuf to = {0};
    float *spread = new_array((size_t)image->width * (size_t)image->height, sizeof *spread, err);
    bool ok = spread && image_new(&drawn, image->width, image->height, err);
    if (ok) {
        memcpy(drawn.p, image->p, 3 * (size_t)image->width * (size_t)image->height);
        grad_cam_upsample(&h->cam, heat, spread);
        draw_heat(drawn.p, drawn.width, drawn.height, spread);
    }
    strbuf_addf(&to, "%.*s_%s%s", dot ? (int)(dot - name) : (int)strlen(name), name,
                *heat->name ? heat->name : h->cam.layer, end);
    ok = ok && strbuf_check(&to, err) && image_write(&drawn, &h->inputs, h->out, to.s, err);
    strbuf_free(&to);
    image_free(&drawn);
    free(spread);
    return ok;
}

static bool look(struct heatmap *h, struct image *image, const char *file, struct error *err)
{
    struct error why = {0};
    return image_read(image, file, err)
        && (grad_cam_run(&h->cam, image, &why) || fail_as(err, &why, "%s: %s", file, why.text));
}

/* An image that is missing or broken, or cannot be processed, is counted.  Fails if the system has failed. */
static bool explain(struct heatmap *h, const char *file, struct error *err)
{
    struct image image = {0};
    struct error why = {0};
    const bool good = look(h, &image, file, &why);
    bool ok = good || image_failed(&h->failures, &why, err);
    if (good)
        image_used(&h->failures, &image, file);
    for (int i = 0; ok && good && i < h->cam.count; i++)
        ok = write_heat(h, &image, file, &h->cam.heatmaps[i], err);
    image_free(&image);
    return ok;
}

static bool open_heatmap(struct heatmap *h, const struct args *args, struct error *err)
{
    struct session *s = &h->session;
    double score = 0;
    if (!h->out)
        return misuse(err, "heatmap: --out DIR must be given");
    return session_open(s, args, err) && session_score(s, args, &score, err)
        && grad_cam_init(&h->cam, &s->model, args_text(args, "layer"), score, &s->policy, err)
        && session_load(s, args, err) && make_folders(h->out, err);
}

bool heatmap_run(const struct args *args, struct error *err)
{
    struct heatmap h = { .out = args_text(args, "out") };
    struct string_list files = {0};
    bool ok = open_heatmap(&h, args, err) && images_list(args, &files, err) && inputs_open(&h.inputs, args, &files, err)
           && images_differ(&h.inputs, &files, h.out, err);
    h.failures.files = files.count;
    for (int i = 0; ok && i < files.count; i++) {
        ok = explain(&h, files.list[i], err);
        if (ok)
            show_progress(i, i + 1, files.count);
    }
    ok = images_end(&h.failures, ok, err);
    inputs_free(&h.inputs);
    string_list_free(&files);
    grad_cam_free(&h.cam);
    session_close(&h.session);
    return ok;
}
