#include "report/html.h"

#include "base/memory.h"
#include "base/min_max.h"
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

/* Above the box, or in it at the upper border of the image; right-aligned at the right border. */
static void add_label(struct strbuf *page, const struct html_box *b, int width)
{
    const double size = width / 42.0;
    const bool inside = b->box[1] < 1.3 * size, at_right = b->box[0] > 0.7 * width;
    const double x = at_right ? fmin(b->box[0] + b->box[2], width) : fmax(b->box[0], 0);
    const double y = inside ? fmax(b->box[1], 0) + 1.1 * size : b->box[1] - 0.3 * size;
    strbuf_addf(page, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" font-size=\"%.1f\" stroke-width=\"%.1f\"%s>", x, y,
                size, size / 5, at_right ? " text-anchor=\"end\"" : "");
    html_text(page, b->label);
    strbuf_addf(page, "</text>\n");
}

static void add_boxes(struct strbuf *page, const struct html_view *view, int width)
{
    static const char *const kinds[BOX_KINDS] = { "plain", "right", "wrong", "missed", "ignored" };
    for (int i = 0; i < view->count; i++) {
        const struct html_box *b = &view->boxes[i];
        strbuf_addf(page, "<rect class=\"box %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                    kinds[b->kind], b->box[0], b->box[1], fmax(b->box[2], 0), fmax(b->box[3], 0));
    }
    for (int i = 0; i < view->count; i++)
        if (view->boxes[i].label)
            add_label(page, &view->boxes[i], width);
}

bool html_image(struct strbuf *page, const struct image *image, int side, const struct html_view *views, int count,
                struct error *err)
{
    const int width = image->width, height = image->height;
    const size_t id = page->size;               /* unique in the page */
    struct bytes jpeg = {0};
    if (!encode(image, side, &jpeg, err))
        return false;
    for (int i = 0; i < count; i++) {
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
        add_boxes(page, &views[i], width);
        strbuf_addf(page, "</svg><figcaption>");
        html_text(page, views[i].caption);
        strbuf_addf(page, "</figcaption></figure>\n");
    }
    bytes_free(&jpeg);
    return strbuf_check(page, err);
}
