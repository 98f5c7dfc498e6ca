#include "cli/check_report.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "base/sort.h"
#include "data/validate.h"
#include "report/html.h"
#include "report/html_chart.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_there(const struct report_set *s) { return s->label; }

/* ---- what was found ---- */

static int count_objects(const struct report_set *s)
{
    int count = 0;
    for (int i = 0; is_there(s) && i < s->data->annotation_count; i++)
        count += is_object(s, &s->data->annotations[i]);
    return count;
}

static void add_figures(const struct data_report *r, struct strbuf *page)
{
    char text[6][32];
    const int numbers[6] = { r->sets[0].data->image_count, r->sets[1].data->image_count, count_objects(&r->sets[0]),
                             count_objects(&r->sets[1]), r->config->class_names.count, r->problems->count };
    static const char *const names[6] = { "training images", "validation images", "training objects",
                                          "validation objects", "classes", "problems" };
    struct html_figure figures[6];
    for (int i = 0; i < 6; i++) {
        snprintf(text[i], sizeof text[i], "%d", numbers[i]);
        figures[i] = (struct html_figure){ names[i], text[i] };
    }
    html_figures(page, figures, 6);
}

static void add_findings(const struct data_report *r, struct strbuf *page)
{
    html_heading(page, "Findings");
    if (r->problems->count + r->notes->count == 0)
        html_paragraph(page, "No problem was found, and nothing to note.");
    for (int i = 0; i < r->problems->count; i++)
        html_paragraph(page, "Problem: %s", r->problems->list[i]);
    for (int i = 0; i < r->notes->count; i++)
        html_paragraph(page, "%s", r->notes->list[i]);
}

/* ---- classes ---- */

struct class_figures { int objects, images, last; };            /* last: the image that was counted last */

static void count_classes(struct class_figures *of, const struct report_set *s)
{
    for (int i = 0; is_there(s) && i < s->data->annotation_count; i++) {
        const struct annotation *a = &s->data->annotations[i];
        if (!is_object(s, a))
            continue;
        struct class_figures *c = &of[s->label[a->category]];
        c->objects++;
        c->images += c->last != a->image + 1;
        c->last = a->image + 1;
    }
}

enum { BARS = 24 };

/* The classes with most training objects, in their order; returns how many. */
static int choose_classes(const struct data_report *r, const struct class_figures *train, int shown[BARS])
{
    const int classes = r->config->class_names.count;
    int count = 0;
    for (int i = 0; i < classes; i++) {
        int before = 0;                         /* classes that have more, or come first with as many */
        for (int k = 0; k < classes; k++)
            before += train[k].objects > train[i].objects || (train[k].objects == train[i].objects && k < i);
        if (before < BARS)
            shown[count++] = i;
    }
    return count;
}

static void chart_classes(const struct data_report *r, const struct class_figures *of, const int *shown, int count,
                          const char *set, struct strbuf *page)
{
    struct html_bar bars[BARS];
    char title[80], text[BARS][16];
    const int classes = r->config->class_names.count;
    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%d", of[shown[i]].objects);
        bars[i] = (struct html_bar){ r->config->class_names.at[shown[i]], of[shown[i]].objects, text[i] };
    }
    if (count < classes)
        snprintf(title, sizeof title, "%s objects of %d of the %d classes", set, count, classes);
    else
        snprintf(title, sizeof title, "%s objects per class", set);
    html_bar_chart(page, title, bars, count);
}

static void table_classes(const struct data_report *r, const struct class_figures *train,
                          const struct class_figures *val, struct strbuf *page)
{
    static const struct html_column columns[] = { { "class", true }, { "training objects", false },
        { "training images", false }, { "validation objects", false }, { "validation images", false },
        { "remark", true } };
    html_table(page, "Objects per class, and images that have some", columns, 6);
    for (int i = 0; i < r->config->class_names.count; i++) {
        html_row(page, r->config->class_names.at[i]);
        html_cell(page, "%d", train[i].objects);
        html_cell(page, "%d", train[i].images);
        html_cell(page, "%d", val[i].objects);
        html_cell(page, "%d", val[i].images);
        html_text_cell(page, train[i].objects == 0 ? "is never learned" : val[i].objects == 0 ? "is never scored"
                       : train[i].objects < 50 ? "few objects to learn from" : "");
        html_row_end(page);
    }
    html_table_end(page);
}

bool report_classes(const struct data_report *r, struct strbuf *page, struct error *err)
{
    const size_t classes = (size_t)r->config->class_names.count;
    struct class_figures *train = new_array(classes, sizeof *train, err), *val = new_array(classes, sizeof *val, err);
    const bool ok = train && val;
    if (ok) {
        count_classes(train, &r->sets[0]);
        count_classes(val, &r->sets[1]);
        html_heading(page, "Classes");
        int shown[BARS];
        const int count = choose_classes(r, train, shown);
        html_columns(page);
        chart_classes(r, train, shown, count, "Training", page);
        chart_classes(r, val, shown, count, "Validation", page);
        html_columns_end(page);
        table_classes(r, train, val, page);
    }
    free(train);
    free(val);
    return ok;
}

/* ---- sizes ---- */

enum { SIZE_BINS = 8 };
static const char *const bin_starts[SIZE_BINS] = {
    "0", "4", "8", "16", "32", "64", "128", "256" };

static int bin_of(double size) { return size < 4 ? 0 : min_int((int)floor(log2(size)) - 1, SIZE_BINS - 1); }

/* Roots of the areas of the objects at the input; returns how many. */
static int sizes_of(const struct report_set *s, double *sizes)
{
    int count = 0;
    for (int i = 0; is_there(s) && i < s->data->annotation_count; i++) {
        const struct annotation *a = &s->data->annotations[i];
        const struct image_record *image = &s->data->images[a->image];
        double scale[2];
        if (!is_object(s, a) || !image->width || !image->height)
            continue;
        data_input_scale(s->config, image, scale);
        sizes[count++] = sqrt(a->box[2] * scale[0] * a->box[3] * scale[1]);
    }
    sort_doubles(sizes, count);
    return count;
}

static void chart_sizes(const struct report_set *s, const double *sizes, int count, struct strbuf *page)
{
    char title[100], text[SIZE_BINS][16];
    struct html_bar bars[SIZE_BINS] = {0};
    for (int i = 0; i < count; i++)
        bars[bin_of(sizes[i])].value++;
    for (int i = 0; i < SIZE_BINS; i++) {
        snprintf(text[i], sizeof text[i], "%.0f", bars[i].value);
        bars[i].name = bin_starts[i];
        bars[i].text = text[i];
    }
    snprintf(title, sizeof title, "%s objects at the input of %d x %d",
             strcmp(s->section, "data.val") == 0 ? "Validation" : "Training", s->config->input_size[0],
             s->config->input_size[1]);
    html_histogram(page, title, "root of the area: pixels from which a bar begins", bars, SIZE_BINS);
}

static int count_below(const double *sizes, int count, double limit)
{
    int below = 0;
    while (below < count && sizes[below] < limit)
        below++;
    return below;
}

/* A cell of a level sees objects of about its own size and larger. */
static void table_strides(const struct data_report *r, const double *sizes, int count, struct strbuf *page)
{
    static const struct html_column columns[] = { { "level", true }, { "cells of the input", false },
                                                  { "objects smaller than a cell", false }, { "fraction", false } };
    const struct ints *strides = &r->model->shape.strides;
    const int *input = r->sets[0].config->input_size;
    html_table(page, "The training objects and the levels of the network", columns, 4);
    for (int i = 0; i < strides->count; i++) {
        char name[40];
        const int stride = strides->at[i], below = count_below(sizes, count, stride);
        snprintf(name, sizeof name, "stride %d", stride);
        html_row(page, name);
        html_cell(page, "%d x %d", (input[0] - 1) / stride + 1, (input[1] - 1) / stride + 1);
        html_cell(page, "%d", below);
        html_shaded_cell(page, (double)below / max_int(count, 1), "%.0f %%", 100.0 * below / max_int(count, 1));
        html_row_end(page);
    }
    html_table_end(page);
}

static void judge_sizes(const struct data_report *r, const double *sizes, int count, struct strbuf *page)
{
    const int finest = r->model->shape.strides.count ? r->model->shape.strides.at[0] : 8;
    const double tiny = 100.0 * count_below(sizes, count, finest) / max_int(count, 1);
    const double enlarged = r->config->train.pipeline.scale[1];
    html_paragraph(page, "Half of the training objects are smaller than %.0f pixels at the input. %.0f %% are smaller "
                   "than a cell of the finest level, %d pixels.", count ? sizes[count / 2] : 0, tiny, finest);
    if (tiny >= 5 && enlarged >= 1.5)
        html_paragraph(page, "data.train.pipeline.scale enlarges the training images up to %.1f times.", enlarged);
    else if (tiny >= 5)
        html_paragraph(page, "Objects of this size are rarely found. A larger data.train.input_size, tiles "
                       "(data.train.tiles) or images that training enlarges (data.train.pipeline.scale) help.");
}

struct image_sizes { int width, height, count; };

static int by_size(const void *p, const void *q)
{
    const struct image_sizes *a = p, *b = q;
    return a->width != b->width ? a->width - b->width : a->height - b->height;
}

static int by_count(const void *p, const void *q)
{
    const struct image_sizes *a = p, *b = q;
    return a->count != b->count ? b->count - a->count : by_size(p, q);
}

/* The most frequent sizes of the training images. */
static bool table_images(const struct report_set *s, struct strbuf *page, struct error *err)
{
    enum { ROWS = 8 };
    static const struct html_column columns[] = { { "size", true }, { "images", false }, { "of the input's sides",
                                                  false } };
    const int images = s->data->image_count;
    struct image_sizes *all = new_array((size_t)images, sizeof *all, err);
    int count = 0;
    if (!all)
        return false;
    for (int i = 0; i < images; i++)
        all[i] = (struct image_sizes){ s->data->images[i].width, s->data->images[i].height, 1 };
    qsort(all, (size_t)images, sizeof *all, by_size);
    for (int i = 0; i < images; i++)
        if (count && by_size(&all[count - 1], &all[i]) == 0)
            all[count - 1].count++;
        else
            all[count++] = all[i];
    qsort(all, (size_t)count, sizeof *all, by_count);
    html_table(page, "The most frequent sizes of training images", columns, 3);
    for (int i = 0; i < count && i < ROWS; i++) {
        char name[40];
        snprintf(name, sizeof name, all[i].width ? "%d x %d" : "unknown", all[i].width, all[i].height);
        html_row(page, name);
        html_cell(page, "%d", all[i].count);
        html_cell(page, "%.1f x %.1f", (double)all[i].width / s->config->input_size[0],
                  (double)all[i].height / s->config->input_size[1]);
        html_row_end(page);
    }
    html_table_end(page);
    free(all);
    return true;
}

bool report_sizes(const struct data_report *r, struct strbuf *page, struct error *err)
{
    const struct report_set *train = &r->sets[0], *val = &r->sets[1];
    double *sizes = new_array((size_t)train->data->annotation_count, sizeof *sizes, err);
    double *val_sizes = new_array((size_t)val->data->annotation_count, sizeof *val_sizes, err);
    bool ok = sizes && val_sizes;
    if (ok) {
        const int count = sizes_of(train, sizes);
        html_heading(page, "Sizes");
        html_columns(page);
        chart_sizes(train, sizes, count, page);
        chart_sizes(val, val_sizes, sizes_of(val, val_sizes), page);
        html_columns_end(page);
        if (r->model && count) {
            judge_sizes(r, sizes, count, page);
            table_strides(r, sizes, count, page);
        }
        ok = !is_there(train) || !train->data->image_count || table_images(train, page, err);
    }
    free(sizes);
    free(val_sizes);
    return ok;
}

/* ---- the page ---- */

bool read_report_image(struct image *image, const struct report_set *s, int i, struct error *err)
{
    struct error why = {0};
    char *path = path_join(s->config->img_path, s->data->images[i].file, &why);
    const bool ok = path && image_read(image, path, &why);
    free(path);
    if (!ok && !why.content)
        fail(err, "%s", why.text);
    return ok;
}

static bool add_parts(const struct data_report *r, const char *title, struct strbuf *page, struct error *err)
{
    const bool train = is_there(&r->sets[0]), any = train || is_there(&r->sets[1]);
    html_begin(page, title);
    add_figures(r, page);
    add_findings(r, page);
    const bool ok = (!any || report_classes(r, page, err)) && (!any || report_sizes(r, page, err))
                 && report_examples(r, page, err) && (!train || report_batches(r, page, err))
                 && (!train || !is_there(&r->sets[1]) || report_shared(r, page, err))
                 && report_faults(r, page, err) && (!r->weights || report_suspects(r, page, err));
    html_end(page);
    return ok;
}

bool data_report_write(const struct data_report *r, struct error *err)
{
    struct strbuf page = {0}, title = {0};
    strbuf_addf(&title, "Data of %s", r->config->file);
    const bool ok = make_folders(r->folder, err) && strbuf_check(&title, err) && add_parts(r, title.s, &page, err)
                 && strbuf_check(&page, err) && file_write_in(r->folder, "report.html", page.s, page.size, err);
    strbuf_free(&page);
    strbuf_free(&title);
    return ok;
}
