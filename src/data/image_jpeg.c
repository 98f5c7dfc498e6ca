/* data/image_jpeg.c -- JPEG by libjpeg-turbo, whose errors come back by longjmp.  Variables that live across that
 * jump are kept in a struct outside the function that sets it. */
#include "base/file.h"
#include "base/strbuf.h"
#include "data/image_format.h"

#include "base/memory.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    SCAN = 0xda,                                        /* the marker that begins one */
    MAX_SCANS = 100,                                    /* of a progressive file; encoders write about ten */
    FEW_SCANS = 16,                                     /* allowed whatever the size */
    SMALL = 1 << 22                                     /* pixels; an image of fewer is read however short its file */
};

/* A scan without a change takes no bytes but goes over all pixels: more scans of a large image would take seconds. */
#define SCANNED_PIXELS ((int64_t)1 << 32)

struct jpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    int orientation;
    bool all_rows;                                      /* are decoded: damage behind them does no harm, as in OpenCV */
    bool ended;                                         /* the file did, before its end marker */
    unsigned char *row;                                 /* of four components, where there are four */
    const char *name;
    struct error *err;
};

static void on_error(j_common_ptr jpeg)
{
    struct jpeg_reader *r = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY) {
        r->all_rows = false;
        fail(r->err, "%s: out of memory", r->name);
    } else if (!r->all_rows)
        reject(r->err, "%s: JPEG: %s", r->name, text);
    longjmp(r->failed, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    struct jpeg_reader *r = jpeg->client_data;
    (void)level;
    r->ended |= jpeg->err->msg_code == JWRN_JPEG_EOF;
}

static void on_progress(j_common_ptr jpeg)
{
    struct jpeg_reader *r = jpeg->client_data;
    const int64_t pixels = (int64_t)r->jpeg.image_width * r->jpeg.image_height, fitting = SCANNED_PIXELS / pixels;
    const int most = fitting > MAX_SCANS ? MAX_SCANS : fitting < FEW_SCANS ? FEW_SCANS : (int)fitting;
    if (r->jpeg.input_scan_number > most) {
        reject(r->err, "%s: JPEG: more than %d scans", r->name, most);
        longjmp(r->failed, 1);
    }
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    static const char exif[6] = "Exif\0";
    for (const struct jpeg_marker_struct *m = jpeg->marker_list; m; m = m->next)
        if (m->data_length > sizeof exif && memcmp(m->data, exif, sizeof exif) == 0)
            return exif_orientation(m->data + sizeof exif, m->data_length - sizeof exif);
    return 1;
}

static void reader_begin(struct jpeg_reader *r, struct bytes file)
{
    r->jpeg.err = jpeg_std_error(&r->messages);
    r->messages.error_exit = on_error;
    r->messages.emit_message = on_message;
    r->progress.progress_monitor = on_progress;
    r->jpeg.client_data = r;
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, file.p, (unsigned long)file.size);
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&r->jpeg, TRUE);
    r->orientation = orientation_of(&r->jpeg);
}

static void reader_end(struct jpeg_reader *r)
{
    jpeg_destroy_decompress(&r->jpeg);
    free(r->row);
}

static bool read_head(struct jpeg_reader *r, struct image_head *head, struct bytes file)
{
    if (setjmp(r->failed))
        return false;
    reader_begin(r, file);
    *head = (struct image_head){ (int)r->jpeg.image_width, (int)r->jpeg.image_height, r->orientation };
    return true;
}

static bool head(struct image_head *out, struct bytes file, const char *name, struct error *err)
{
    struct jpeg_reader r = { .name = name, .err = err };
    const bool ok = read_head(&r, out, file);
    reader_end(&r);
    return ok;
}

/* OpenCV's way, not the formula of colour science; Adobe's files, which libjpeg hands on as they are, are inverted. */
static void cmyk_to_bgr(const unsigned char *from, unsigned char *to, int width)
{
    for (int x = 0; x < width; x++, from += 4, to += 3) {
        const int k = from[3];
        for (int c = 0; c < 3; c++)
            to[2 - c] = (unsigned char)(k - ((255 - from[c]) * k >> 8));
    }
}

/* Is there no marker but those of restarts between here and the one that ends the file?  Then nothing that is still
 * to come can make the file unreadable. */
static bool is_last_scan(const struct jpeg_source_mgr *source)
{
    const unsigned char *p = source->next_input_byte, *end = p + source->bytes_in_buffer;
    while ((p = memchr(p, 0xff, (size_t)(end - p))) && ++p < end) {
        if (*p == JPEG_EOI)
            return true;
        if (*p != 0 && *p != 0xff && (*p < JPEG_RST0 || *p > JPEG_RST0 + 7))
            return false;
    }
    return false;
}

/* In one scan of Huffman's codes what lies outside of a region need not be transformed.  Halved rows that are cut are
 * interpolated wrongly by libjpeg-turbo where chroma has less than half of the columns. */
static bool can_leave_out(struct jpeg_reader *r, const struct region *region)
{
    return region && r->orientation == 1 && !r->jpeg.arith_code && !jpeg_has_multiple_scans(&r->jpeg)
        && (region->halved == 0 || r->jpeg.max_h_samp_factor <= 2) && is_last_scan(r->jpeg.src);
}

/* Leaves out the columns beside a region and the rows above it, but for the next block of those that are coded as one:
 * at a cut, chroma is interpolated as at the edge of an image.  Returns the first column that is read. */
static int leave_out(struct jpeg_decompress_struct *jpeg, const struct region *region)
{
    const int side = DCTSIZE >> region->halved;
    const int block_width = side * jpeg->max_h_samp_factor, block_height = side * jpeg->max_v_samp_factor;
    const int width = (int)jpeg->output_width, above = region->top / block_height - 1;
    const int right = region->right < width - block_width ? region->right + block_width : width;
    JDIMENSION left = region->left > block_width ? (JDIMENSION)(region->left - block_width) : 0;
    JDIMENSION columns = (JDIMENSION)right - left;
    jpeg_crop_scanline(jpeg, &left, &columns);          /* moves left to where a block begins */
    if (above > 0)
        jpeg_skip_scanlines(jpeg, (JDIMENSION)(above * block_height));
    return (int)left;
}

static void read_rows(struct jpeg_reader *r, struct image *image, const struct region *region)
{
    const bool four = r->jpeg.num_components == 4, part = can_leave_out(r, region);
    r->jpeg.out_color_space = four ? JCS_CMYK : JCS_EXT_BGR;
    jpeg_start_decompress(&r->jpeg);
    const int left = part ? leave_out(&r->jpeg, region) : 0, bottom = part ? region->bottom : image->height;
    while (r->jpeg.output_scanline < (JDIMENSION)bottom) {
        const size_t y = r->jpeg.output_scanline;
        unsigned char *to = image->p + (y * (size_t)image->width + (size_t)left) * 3;
        JSAMPROW row = four ? r->row : to;
        jpeg_read_scanlines(&r->jpeg, &row, 1);
        if (four)
            cmyk_to_bgr(r->row, to, (int)r->jpeg.output_width);
    }
    r->all_rows = true;
    if (!part)
        jpeg_finish_decompress(&r->jpeg);
}

bool jpeg_allowed(int width, int height, size_t bytes, const char *name, struct error *err)
{
    const uint64_t pixels = (uint64_t)width * (uint64_t)height;
    return pixels <= SMALL || pixels / 512 <= bytes
        || reject(err, "%s: JPEG: %d x %d pixels in %zu bytes: truncated, or made to exhaust memory", name, width,
                  height, bytes);
}

/* libjpeg keeps the coefficients of all blocks where an image has several scans, else some rows of all components. */
static size_t working_bytes(struct jpeg_decompress_struct *jpeg, size_t file_bytes)
{
    enum { ROWS = 256, TABLES = 1 << 20 };
    size_t bytes = TABLES + file_bytes + ROWS * (size_t)jpeg->image_width;      /* its markers are copied */
    for (int i = 0; jpeg_has_multiple_scans(jpeg) && i < jpeg->num_components; i++) {
        const jpeg_component_info *c = &jpeg->comp_info[i];
        const size_t h = (size_t)c->h_samp_factor, v = (size_t)c->v_samp_factor;
        const size_t columns = (c->width_in_blocks + h - 1) / h * h, rows = (c->height_in_blocks + v - 1) / v * v;
        bytes += columns * rows * sizeof(JBLOCK);
    }
    return bytes;
}

static bool read_image(struct jpeg_reader *r, struct image *image, const struct region *region, struct bytes file)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (setjmp(r->failed)) {
        image->truncated = r->ended;
        return r->all_rows;
    }
    reader_begin(r, file);
    if (!jpeg_allowed((int)jpeg->image_width, (int)jpeg->image_height, file.size, r->name, r->err))
        return false;
    r->jpeg.scale_num = 1;
    r->jpeg.scale_denom = 1u << (region ? region->halved : 0);
    jpeg_calc_output_dimensions(&r->jpeg);
    const size_t working = working_bytes(jpeg, file.size);
    jpeg->mem->max_memory_to_use = (long)working;
    if (!image_allocate(image, (int)jpeg->output_width, (int)jpeg->output_height, working, r->orientation != 1, r->name,
                        r->err))
        return false;
    if (!(r->row = new_array(jpeg->image_width, 4, NULL)))
        return fail(r->err, "%s: out of memory", r->name);
    if (region && region->halved > 0) {
        image->halved = region->halved;
        image->whole_width = (int)jpeg->image_width;
        image->whole_height = (int)jpeg->image_height;
    }
    read_rows(r, image, region);
    image->truncated = r->ended;
    return true;
}

static bool decode(struct image *image, int *orientation, const struct region *region, struct bytes file,
                   const char *name, struct error *err)
{
    struct jpeg_reader r = { .name = name, .err = err };
    const bool ok = read_image(&r, image, region, file);
    *orientation = r.orientation;
    reader_end(&r);
    return ok;
}

/* Goes over the markers: an end that stands before any scan is one of a thumbnail. */
static bool has_end(struct bytes file)
{
    const unsigned char *p = file.p, *const end = p + file.size;
    bool scan = false;
    while ((p = memchr(p, 0xff, (size_t)(end - p))) && ++p < end) {
        if (*p == JPEG_EOI && scan)
            return true;
        if (*p < 0xc0 || *p == 0xff || (*p >= JPEG_RST0 && *p <= JPEG_EOI))
            continue;                                   /* a byte of data, a filler, or a marker without a length */
        const ptrdiff_t length = end - p > 2 ? p[1] << 8 | p[2] : 0;
        scan |= *p == SCAN;
        p += length < end - p - 1 ? length + 1 : end - p;
    }
    return false;
}

static enum image_ending ending(struct bytes file, bool whole, int *orientation)
{
    (void)orientation;
    if (file.size >= 2 && file.p[file.size - 2] == 0xff && file.p[file.size - 1] == JPEG_EOI)
        return ENDING_COMPLETE;
    return !whole ? ENDING_UNKNOWN : has_end(file) ? ENDING_COMPLETE : ENDING_CUT;
}

const struct image_format image_jpeg = { "JPEG", "\xff\xd8\xff", head, ending, decode };

struct jpeg_writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    jmp_buf failed;
    struct jpeg_destination_mgr destination;
    unsigned char chunk[1 << 12];                       /* what libjpeg has written, before it is added to file */
    struct strbuf file;
    struct error *err;
};

static void start_file(j_compress_ptr jpeg)
{
    struct jpeg_writer *w = jpeg->client_data;
    w->destination.next_output_byte = w->chunk;
    w->destination.free_in_buffer = sizeof w->chunk;
}

static boolean add_chunk(j_compress_ptr jpeg)
{
    struct jpeg_writer *w = jpeg->client_data;
    strbuf_add(&w->file, w->chunk, sizeof w->chunk);
    start_file(jpeg);
    return TRUE;
}

static void end_file(j_compress_ptr jpeg)
{
    struct jpeg_writer *w = jpeg->client_data;
    strbuf_add(&w->file, w->chunk, sizeof w->chunk - w->destination.free_in_buffer);
}

static void on_write_error(j_common_ptr jpeg)
{
    struct jpeg_writer *w = jpeg->client_data;
    char text[JMSG_LENGTH_MAX] = "out of memory";
    if (jpeg->err->msg_code != JERR_OUT_OF_MEMORY)
        jpeg->err->format_message(jpeg, text);
    fail(w->err, "writing JPEG: %s", text);
    longjmp(w->failed, 1);
}

static bool write_image(struct jpeg_writer *w, const struct image *image, int quality)
{
    if (setjmp(w->failed))
        return false;
    w->jpeg.err = jpeg_std_error(&w->messages);
    w->messages.error_exit = on_write_error;
    w->jpeg.client_data = w;
    jpeg_create_compress(&w->jpeg);
    w->destination = (struct jpeg_destination_mgr){
        .init_destination = start_file, .empty_output_buffer = add_chunk, .term_destination = end_file };
    w->jpeg.dest = &w->destination;
    w->jpeg.image_width = (JDIMENSION)image->width;
    w->jpeg.image_height = (JDIMENSION)image->height;
    w->jpeg.input_components = 3;
    w->jpeg.in_color_space = JCS_EXT_BGR;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, quality, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    while (w->jpeg.next_scanline < w->jpeg.image_height) {
        JSAMPROW row = image->p + (size_t)w->jpeg.next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(&w->jpeg, &row, 1);
    }
    jpeg_finish_compress(&w->jpeg);
    return true;
}

bool image_encode_jpeg(const struct image *image, int quality, struct bytes *out, struct error *err)
{
    struct jpeg_writer w = { .err = err };
    *out = (struct bytes){0};
    const bool ok = write_image(&w, image, quality) && strbuf_check(&w.file, err);
    jpeg_destroy_compress(&w.jpeg);
    if (ok)
        *out = (struct bytes){ (unsigned char *)w.file.s, w.file.size };
    else
        strbuf_free(&w.file);
    return ok;
}

bool image_write_jpeg(const struct image *image, int quality, const char *path, struct error *err)
{
    struct bytes file;
    const bool ok = image_encode_jpeg(image, quality, &file, err) && file_write(path, file.p, file.size, err);
    bytes_free(&file);
    return ok;
}
