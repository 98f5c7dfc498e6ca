/* cli/check_report_images.c -- the parts of check's page that show images. */
#include "base/memory.h"
#include "base/min_max.h"
#include "cli/check_report.h"
#include "data/box_faults.h"
#include "data/loader.h"
#include "report/html.h"
#include "train/batch_picture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 12, LISTED = 100, SIDE = 440, SMALL_SIDE = 300, NAMED = 25 };

static const char *class_name(const struct data_report *r, int label) { return r->config->class_names.at[label]; }

/* ---- images with their boxes ---- */

/* Adds image i of a set with its boxes; marked: the annotation that is shown as wrong, or -1.  Small or
 * crowded images have no room for names of classes. */
static bool add_image(const struct data_report *r, const struct report_set *s, int i, int marked, const char *caption,
                      int side, struct strbuf *page, struct error *err)
{
    const struct image_record *record = &s->data->images[i];
    struct html_box *boxes = new_array((size_t)record->count, sizeof *boxes, err);
    struct image image = {0};
    struct error why = {0};
    const bool named = side == SIDE && record->count <= NAMED;
    char alt[300];
    bool ok = boxes != NULL;
    for (int k = 0; ok && k < record->count; k++) {
        const struct annotation *a = &s->data->annotations[record->first + k];
        const int label = s->label[a->category];
        boxes[k] = (struct html_box){ .kind = record->first + k == marked ? BOX_WRONG
                                              : a->ignore || label < 0 ? BOX_IGNORED : BOX_PLAIN,
                                      .label = label >= 0 && named ? class_name(r, label) : NULL };
        memcpy(boxes[k].box, a->box, sizeof a->box);
    }
    snprintf(alt, sizeof alt, "%s with %d boxes", record->file, record->count);
    const struct html_view view = { caption, alt, boxes, record->count };
    if (ok && read_report_image(&image, s, i, &why))
        ok = html_image(page, &image, side, &view, 1, err);
    else
        ok = ok && (!why.exit || fail(err, "%s", why.text));
    image_free(&image);
    free(boxes);
    return ok;
}

/* Images at even distances in the order of the set, those without a box left out. */
bool report_examples(const struct data_report *r, struct strbuf *page, struct error *err)
{
    enum { EXAMPLES = 4 };
    bool ok = true;
    html_heading(page, "Examples");
    html_paragraph(page, "Labels as they are read. Boxes to ignore are dotted; crowded images show no names.");
    html_columns(page);
    for (int k = 0; ok && k < 2; k++) {
        const struct report_set *s = &r->sets[k];
        const int images = s->data->image_count;
        for (int i = 0, from = 0; ok && s->label && i < EXAMPLES && from < images; i++) {
            from = max_int(from, (int)((int64_t)i * images / EXAMPLES));
            while (from < images && s->data->images[from].count == 0)
                from++;
            if (from == images)
                break;
            char caption[300];
            snprintf(caption, sizeof caption, "%s: %s", k ? "validation" : "training", s->data->images[from].file);
            ok = add_image(r, s, from++, -1, caption, SIDE, page, err);
        }
    }
    html_columns_end(page);
    return ok;
}

/* ---- batches ---- */

/* The first batches of a training with this configuration. */
bool report_batches(const struct data_report *r, struct strbuf *page, struct error *err)
{
    const struct config *c = r->config;
    const struct loader_config options = {
        .dataset = r->sets[0].data, .data = &c->train, .label = r->sets[0].label, .train = true,
        .mosaic_epochs = c->schedule.total_epochs - c->train.mosaic.stop_epochs, .batch = c->batch_size, .workers = 1,
        .seed = (uint64_t)c->seed, .input_scale = { c->schedule.input_scale[0], c->schedule.input_scale[1] },
        .epochs = c->schedule.total_epochs };
    struct error why = {0};
    struct loader *loader = loader_open(&options, &why);
    bool ok = true, more = loader;
    html_heading(page, "Batches as training sees them");
    html_paragraph(page, "The first samples of the first batches of a training, after all random changes.");
    html_columns(page);
    for (int i = 0; ok && more && i < BATCH_PICTURES - 1; i++) {
        const struct batch *batch;
        struct image picture = {0};
        char caption[60];
        snprintf(caption, sizeof caption, "batch %d", i);
        const struct html_view view = { caption, caption, NULL, 0 };
        more = loader_next(loader, &batch, &why);
        ok = !more || (batch_picture(&picture, batch, &c->train, &c->class_names, err)
                       && html_image(page, &picture, 800, &view, 1, err));
        image_free(&picture);
    }
    html_columns_end(page);
    loader_close(loader);
    if (why.exit)
        html_paragraph(page, "The batches cannot be made: %s", why.text);
    return ok;
}

/* ---- images of both sets ---- */

struct shared { int train, val; };

static bool find_shared(const struct data_report *r, struct shared *list, int *count, struct error *err)
{
    const struct dataset *train = r->sets[0].data, *val = r->sets[1].data;
    const struct team team = { r->policy->threads };
    struct image_hash *a = new_array((size_t)train->image_count, sizeof *a, err);
    struct image_hash *b = new_array((size_t)val->image_count, sizeof *b, err);
    const bool ok = a && b && hash_images(a, train, r->config->train.img_path, &team, err)
                 && hash_images(b, val, r->config->val.img_path, &team, err);
    *count = 0;
    for (int i = 0; ok && i < val->image_count; i++)
        for (int k = 0; k < train->image_count; k++)
            if (same_picture(&a[k], &b[i])) {
                if (*count < LISTED)
                    list[*count] = (struct shared){ k, i };
                ++*count;
                break;
            }
    free(a);
    free(b);
    return ok;
}

static bool add_small(const struct data_report *r, const struct report_set *s, int i, struct strbuf *page,
                      struct error *err)
{
    return add_image(r, s, i, -1, s->data->images[i].file, SMALL_SIDE, page, err);
}

bool report_shared(const struct data_report *r, struct strbuf *page, struct error *err)
{
    static const struct html_column columns[] = { { "validation image", true }, { "training image", true } };
    struct shared list[LISTED];
    int count;
    if (!find_shared(r, list, &count, err))
        return false;
    html_heading(page, "Images in both sets");
    if (count == 0) {
        html_paragraph(page, "No validation image looks like a training image.");
        return true;
    }
    html_paragraph(page, "%d validation image%s like a training image by a perceptual hash: the score of such an image "
                   "says little about new ones. Below, each is followed by the training image.", count,
                   count == 1 ? " looks" : "s look");
    bool ok = true;
    html_gallery(page);
    for (int i = 0; ok && i < count && i < SHOWN / 3; i++)
        ok = add_small(r, &r->sets[1], list[i].val, page, err) && add_small(r, &r->sets[0], list[i].train, page, err);
    html_columns_end(page);
    html_table(page, "Pairs of images", columns, 2);
    for (int i = 0; i < count && i < LISTED; i++) {
        html_row(page, r->sets[1].data->images[list[i].val].file);
        html_text_cell(page, r->sets[0].data->images[list[i].train].file);
        html_row_end(page);
    }
    html_table_end(page);
    return ok;
}

/* ---- boxes that are probably wrong ---- */

static void table_faults(const struct data_report *r, const struct report_set *s, const struct box_faults *faults,
                         struct strbuf *page)
{
    static const struct html_column columns[] = { { "place", true }, { "class", true }, { "box", false },
                                                  { "fault", true } };
    char caption[100], place[400];
    snprintf(caption, sizeof caption, "%s: %d box%s", s->section, faults->count, faults->count == 1 ? "" : "es");
    html_table(page, caption, columns, 4);
    for (int i = 0; i < faults->count && i < LISTED; i++) {
        const struct annotation *a = &s->data->annotations[faults->list[i].annotation];
        annotation_place(s->data, a, place, sizeof place);
        html_row(page, place);
        html_text_cell(page, class_name(r, s->label[a->category]));
        html_cell(page, "%.0f, %.0f, %.0f x %.0f", a->box[0], a->box[1], a->box[2], a->box[3]);
        html_text_cell(page, box_fault_texts[faults->list[i].kind]);
        html_row_end(page);
    }
    html_table_end(page);
}

static bool show_faults(const struct data_report *r, const struct report_set *s, struct strbuf *page, int *all,
                        struct error *err)
{
    struct box_faults faults = {0};
    bool ok = find_box_faults(&faults, s->data, s->label, err);
    *all += faults.count;
    if (ok && faults.count) {
        html_gallery(page);
        for (int i = 0, last = -1; ok && i < faults.count && i < SHOWN; i++) {
            const struct annotation *a = &s->data->annotations[faults.list[i].annotation];
            char caption[400];
            if (a->image == last)
                continue;
            last = a->image;
            snprintf(caption, sizeof caption, "%s: %s", s->data->images[a->image].file,
                     box_fault_texts[faults.list[i].kind]);
            ok = add_image(r, s, a->image, faults.list[i].annotation, caption, SMALL_SIDE, page, err);
        }
        html_columns_end(page);
        table_faults(r, s, &faults, page);
    }
    box_faults_free(&faults);
    return ok;
}

bool report_faults(const struct data_report *r, struct strbuf *page, struct error *err)
{
    bool ok = true;
    int all = 0;
    html_heading(page, "Doubtful boxes");
    for (int k = 0; ok && k < 2; k++)
        ok = !r->sets[k].label || show_faults(r, &r->sets[k], page, &all, err);
    if (all == 0)
        html_paragraph(page, "No box equals another one, lies outside of its image, covers all of it or is very thin.");
    return ok;
}
