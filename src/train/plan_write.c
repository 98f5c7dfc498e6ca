/* train/plan_write.c -- a plan as the text of a configuration. */
#include "base/escape.h"
#include "base/strbuf.h"
#include "train/plan.h"
#include <stdarg.h>
#include <stdio.h>

/* A line "key: value", and behind it, if possible in one column, why it has that value. */
static void add(struct strbuf *out, const char *why, const char *format, ...) PRINTF_LIKE(3, 4);
static void add(struct strbuf *out, const char *why, const char *format, ...)
{
    enum { COLUMN = 40 };
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (why)
        strbuf_addf(out, "%-*s  # %s\n", COLUMN, line, why);
    else
        strbuf_addf(out, "%s\n", line);
}

static void add_text(struct strbuf *out, const char *key, const char *text)
{
    strbuf_addf(out, "%s: ", key);
    yaml_add_text(text, out);
    strbuf_addf(out, "\n");
}

static void write_head(const struct plan *p, const struct plan_text *t, struct strbuf *out)
{
    strbuf_addf(out, "# Written by nanodet init for ");
    strbuf_add_escaped(out, t->folder);
    strbuf_addf(out, ": %d images for training, %d for validation, %d class%s.\n"
                     "# Every value may be changed; nanodet check tells what a change costs.  docs/training.md "
                     "explains the keys.\n", p->facts.images, p->facts.val_images, t->found->classes.count,
                t->found->classes.count == 1 ? "" : "es");
    add_text(out, "save_dir", t->save_dir);
}

static void write_model(const struct plan_text *t, struct strbuf *out)
{
    strbuf_addf(out, "\n# Model: %s%s.  There is no auxiliary head: it would take most of the time of a step.\n",
                t->model->name, t->weights ? "" : ", the usual one for a CPU");
    strbuf_addf(out, "%s", t->model->yaml);
    strbuf_addf(out, "  # The score is that of the average of the weights over the last tenth of the run.\n"
                     "  weight_averager: {name: ExpMovingAverager, span: 0.1}\n");
}

static void write_paths(const struct plan_text *t, const struct found_part *part, struct strbuf *out)
{
    strbuf_addf(out, "    name: %s\n", dataset_format_name(t->found->format));
    add_text(out, "    img_path", part->img_path);
    add_text(out, "    ann_path", part->ann_path);
    if (part->image_list)
        add_text(out, "    image_list", part->image_list);
}

static const char *why_input(const struct plan *p)
{
    return p->crops ? "many objects are tiny: see scale and data.val.input_size"
         : p->small ? "width, height; larger than the usual 320 x 320 for small objects" : "width, height";
}

static void write_normalize(struct strbuf *out)
{
    add(out, NULL, "      normalize: [[103.53, 116.28, 123.675], [57.375, 57.12, 58.395]]");
}

static void write_decoding(int cache_mb, bool scaled, struct strbuf *out)
{
    if (cache_mb)
        add(out, "all images stay decoded in memory", "    cache_mb: %d", cache_mb);
    else if (scaled)
        add(out, "large JPEGs are decoded at 1/2, 1/4 or 1/8", "    scaled_decode: true");
}

static void write_train(const struct plan *p, const struct plan_text *t, struct strbuf *out)
{
    const bool stretch = t->model->resize == RESIZE_STRETCH;
    strbuf_addf(out, "\ndata:\n  train:\n");
    write_paths(t, &t->found->train, out);
    add(out, why_input(p), "    input_size: [%d, %d]", p->input[0], p->input[1]);
    add(out, "as in the training of this model", "    resize: %s", resize_name(t->model->resize));
    write_decoding(p->cache_mb, p->scaled_decode, out);
    add(out, "random changes of the images", "    pipeline:");
    add(out, p->crops ? "enlarged up to 2.4 times, so that tiny objects are seen larger" : NULL, "      scale: [%s]",
        p->crops ? "1, 2.4" : "0.6, 1.4");
    if (stretch)
        add(out, NULL, "      stretch: [[0.8, 1.2], [0.8, 1.2]]");
    add(out, NULL, "      translate: 0.2");
    add(out, "0 if left and right differ, as in text", "      flip: 0.5");
    add(out, NULL, "      brightness: 0.2");
    add(out, NULL, "      contrast: [0.6, 1.4]");
    add(out, NULL, "      saturation: [0.5, 1.2]");
    write_normalize(out);
}

static void write_val(const struct plan *p, const struct plan_text *t, struct strbuf *out)
{
    add(out, t->divided ? "a fifth of the images, drawn at random; see image_list" : NULL, "  val:");
    write_paths(t, &t->found->val, out);
    if (p->crops)
        add(out, "as large as training has enlarged the images", "    input_size: [%d, %d]", p->val_input[0],
            p->val_input[1]);
    add(out, NULL, "    resize: %s", resize_name(t->model->resize));
    write_decoding(p->val_cache_mb, p->scaled_decode, out);
    add(out, NULL, "    pipeline:");
    write_normalize(out);
}

static void write_schedule(const struct plan *p, const struct plan_text *t, struct strbuf *out)
{
    strbuf_addf(out, "\ndevice:\n");
    add(out, p->batch < 16 ? "at least eight steps per epoch; small sets need small batches" : "16 is usual",
        "  batchsize_per_gpu: %d", p->batch);
    strbuf_addf(out, "\nschedule:\n");
    if (t->weights) {
        add_text(out, "  load_model", t->weights);
        add(out, "its classes differ: boxes and equal names are kept", "  transfer_head: true");
        add(out, "for files with folded batch norms (ONNX, ncnn)", "  unfold_norms: true");
    }
    add(out, "0.001 x root of (batch / 16)", "  optimizer: {name: AdamW, lr: %g, weight_decay: 0.05}", p->lr);
    add(out, "a 25th of the run", "  warmup: {name: linear, steps: %d, ratio: 0.0001}", p->warmup);
    add(out, p->night ? "as many as end within about 8 hours" : t->weights ? "few: the weights are trained already"
        : "many: the weights start at random", "  total_epochs: %d", p->epochs);
    add(out, NULL, "  lr_schedule: {name: CosineAnnealingLR, eta_min: %g}", p->lr / 20);
    add(out, "ten scores in the run", "  val_intervals: %d", p->val_intervals);
    strbuf_addf(out, "\ngrad_clip: 35\nevaluator: {name: CocoDetectionEvaluator, save_key: mAP}\n"
                     "log: {interval: %d}\n", p->log_interval);
}

static void write_classes(const struct discovery *d, struct strbuf *out)
{
    if (d->numbered_classes)
        strbuf_addf(out, "\n# No list of classes was found.  Give the numbers of the text files their names here.");
    strbuf_addf(out, "\nclass_names: [");
    for (int i = 0; i < d->classes.count; i++) {
        strbuf_addf(out, "%s", i ? ", " : "");
        yaml_add_text(d->classes.list[i], out);
    }
    strbuf_addf(out, "]\n");
}

void plan_write(const struct plan *p, const struct plan_text *t, struct strbuf *out)
{
    write_head(p, t, out);
    write_model(t, out);
    write_train(p, t, out);
    write_val(p, t, out);
    write_schedule(p, t, out);
    write_classes(t->found, out);
}
