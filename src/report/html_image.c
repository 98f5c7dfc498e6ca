#include "report/html.h"

#include "base/memory.h"
#include "base/min_max.h"
#include "report/labels.h"
#include <math.h>
#include <stdlib.h>

enum { QUALITY = 78 };

/* Each pixel of the result is the mean of those that it covers in the image, at least one. */
static void average_pixels(const struct image *image, const struct image *out)
{
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            const int left = (int)((int64_t)x * image->width / out->width);
            const int right = max_int(left + 1, (int)((int64_t)(x + 1) * image->width / out->width));
            const int top = (int)((int64_t)y * image->height / out->height);
            const int bottom = max_int(top + 1, (int)((int64_t)(y + 1) * image->height / out->height));
            const int64_t count = (int64_t)(right - left) * (bottom - top);
            int64_t sum[3] = {0};
            for (int v = top; v < bottom; v++)
                for (int u = left; u < right; u++)
                    for (int c = 0; c < 3; c++)
                        sum[c] += image->p[3 * ((ptrdiff_t)v * image->width + u) + c];
            for (int c = 0; c < 3; c++)
                out->p[3 * ((ptrdiff_t)y * out->width + x) + c] = (unsigned char)((sum[c] + count / 2) / count);
        }
}

static bool encode(const struct image *image, int side, struct bytes *jpeg, struct error *err)
{
    const double scale = fmin(1, (double)side / max_int(image->width, image->height));
    struct image small = {0};
    const bool ok = image_new(&small, max_int(1, (int)lround(image->width * scale)),
                              max_int(1, (int)lround(image->height * scale)), err);
    if (ok)
        average_pixels(image, &small);
    const bool encoded = ok && image_encode_jpeg(&small, QUALITY, jpeg, err);
    image_free(&small);
    return encoded;
}

static void add_base64(struct strbuf *page, struct bytes data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < data.size; i += 3) {
        const size_t left = data.size - i;
        const unsigned bits = (unsigned)data.p[i] << 16 | (left > 1 ? (unsigned)data.p[i + 1] << 8 : 0)
                            | (left > 2 ? data.p[i + 2] : 0);
        const char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                               left > 2 ? digits[bits & 63] : '=' };
        strbuf_add(page, four, sizeof four);
    }
}

static int letters(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static double clamp(double v, double low, double high) { return fmin(fmax(v, low), high); }

/* The point of a box x, y, width, height that is nearest to the centre of another one. */
static void nearest_point(const double box[4], const double other[4], double out[2])
{
    for (int i = 0; i < 2; i++)
        out[i] = clamp(other[i] + other[i + 2] / 2, box[i], box[i] + box[i + 2]);
}

/* A label that lies apart from its box gets a line to it.  The width of text is an estimate: the reader chooses the
 * font. */
static void add_label(struct strbuf *page, struct labels *labels, int i, const char *text, const char *kind)
{
    const double size = labels->width / 46.0;
    double place[4] = { 0, 0, fmin(0.66 * size * letters(text), labels->width), fmin(1.2 * size, labels->height) };
    double from[2], to[2];
    labels_place(labels, i, place);
    nearest_point(place, labels->boxes[i], from);
    nearest_point(labels->boxes[i], place, to);
    if (hypot(to[0] - from[0], to[1] - from[1]) > size / 2)
        strbuf_addf(page, "<path class=\"box %s leader\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", kind, from[0], from[1], to[0],
                    to[1]);
    strbuf_addf(page, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" stroke-width=\"%.1f\">",
                place[0], place[1] + 0.95 * size, size, size / 5);
    html_text(page, text);
    strbuf_addf(page, "</text>\n");
}

static bool add_boxes(struct strbuf *page, const struct html_view *view, int width, int height, struct error *err)
{
    static const char *const kinds[BOX_KINDS] = { "plain", "right", "wrong", "missed", "ignored" };
    struct labels labels;
    const bool ok = labels_init(&labels, width, height, view->count, err);
    for (int i = 0; ok && i < view->count; i++) {
        const struct html_box *b = &view->boxes[i];
        labels_set_box(&labels, i, b->box);
        strbuf_addf(page, "<rect class=\"box %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                    kinds[b->kind], b->box[0], b->box[1], fmax(b->box[2], 0), fmax(b->box[3], 0));
    }
    for (int i = 0; ok && i < view->count; i++)
        if (view->boxes[i].label)
            add_label(page, &labels, i, view->boxes[i].label, kinds[view->boxes[i].kind]);
    labels_free(&labels);
    return ok;
}

bool html_image(struct strbuf *page, const struct image *image, int side, const struct html_view *views, int count,
                struct error *err)
{
    const int width = image->width, height = image->height;
    const size_t id = page->size;               /* unique in the page */
    struct bytes jpeg = {0};
    bool ok = encode(image, side, &jpeg, err);
    for (int i = 0; ok && i < count; i++) {
        strbuf_addf(page, "<figure><svg class=\"photo\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", width, height);
        html_text(page, views[i].alt);
        strbuf_addf(page, "</title>\n");
        if (i == 0) {
            strbuf_addf(page, "<image id=\"i%zu\" width=\"%d\" height=\"%d\" href=\"data:image/jpeg;base64,", id, width,
                        height);
            add_base64(page, jpeg);
            strbuf_addf(page, "\"/>\n");
        } else
            strbuf_addf(page, "<use href=\"#i%zu\"/>\n", id);
        ok = add_boxes(page, &views[i], width, height, err);
        strbuf_addf(page, "</svg><figcaption>");
        html_text(page, views[i].caption);
        strbuf_addf(page, "</figcaption></figure>\n");
    }
    bytes_free(&jpeg);
    return ok && strbuf_check(page, err);
}
