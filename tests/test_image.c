/* tests/test_image.c -- images: writing and reading back, unusual kinds of files with the pixels of cv2.imread,
 * errors of broken files. */
#include "base/file.h"
#include "base/strbuf.h"
#include "images.h"
#include "there.h"

#include <jpeglib.h>
#include <png.h>
#include <sys/resource.h>

static void assert_same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_memory_equal(a->p, b->p, (size_t)a->width * (size_t)a->height * 3);
}

static void png_round_trip(void **state)
{
    static const int sizes[][2] = { { 1, 1 }, { 7, 3 }, { 1, 40 }, { 129, 5 } };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct image p = gradient(sizes[i][0], sizes[i][1]), q;
        int width, height;
        assert_true(image_write_png(&p, image_path, NULL));
        assert_true(image_read(&q, image_path, NULL));
        assert_true(image_size(image_path, &width, &height, NULL));
        assert_int_equal(width, p.width);
        assert_int_equal(height, p.height);
        assert_same(&p, &q);
        image_free(&p);
        image_free(&q);
    }
}

static void jpeg_round_trip(void **state)
{
    struct image p = gradient(67, 45), q;
    struct bytes a, b;
    (void)state;
    assert_true(image_encode_jpeg(&p, 95, &a, NULL));
    assert_true(image_encode_jpeg(&p, 95, &b, NULL));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.p, b.p, a.size);
    assert_true(image_write_jpeg(&p, 95, image_path, NULL));
    assert_true(image_read(&q, image_path, NULL));
    for (int i = 0; i < 67 * 45 * 3; i++)
        assert_true(abs(p.p[i] - q.p[i]) <= 6);
    image_free(&p);
    image_free(&q);
    bytes_free(&a);
    bytes_free(&b);
}

/* The file with an Exif block behind its first marker. */
static struct bytes with_exif(struct bytes file, int orientation, bool big)
{
    unsigned char block[] = { 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                              0x12, 1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    static const unsigned char swapped[] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1 };
    if (big)
        memcpy(block + 10, swapped, sizeof swapped);
    block[big ? 29 : 28] = (unsigned char)orientation;
    struct bytes out = { malloc(file.size + sizeof block), file.size + sizeof block };
    assert_non_null(out.p);
    memcpy(out.p, file.p, 2);
    memcpy(out.p + 2, block, sizeof block);
    memcpy(out.p + 2 + sizeof block, file.p + 2, file.size - 2);
    return out;
}

/* Positions of the stored top left, top right, bottom left pixel: 0 top left, 1 top right, 2 bottom left, 3. */
static void exif_orientation_turns(void **state)
{
    static const int corner[10][3] = { { 0, 1, 2 }, { 0, 1, 2 }, { 1, 0, 3 }, { 3, 2, 1 }, { 2, 3, 0 },
                                       { 0, 2, 1 }, { 1, 3, 0 }, { 3, 1, 2 }, { 2, 0, 3 }, { 0, 1, 2 } };
    struct image p = gradient(21, 10), plain, turned;
    struct bytes file;
    (void)state;
    assert_true(image_encode_jpeg(&p, 90, &file, NULL));
    assert_true(image_decode(&plain, file.p, file.size, "plain", NULL));
    const unsigned char *stored[3] = { plain.p, plain.p + 20 * 3, plain.p + 9 * 21 * 3 };
    for (int i = 0; i < 20; i++) {
        struct bytes exif = with_exif(file, i / 2, i % 2);
        int width, height;
        assert_true(image_decode(&turned, exif.p, exif.size, "turned", NULL));
        assert_true(image_decode_size(exif.p, exif.size, "turned", &width, &height, NULL));
        const bool exchanged = i / 2 >= 5 && i / 2 <= 8;
        assert_int_equal(turned.width, exchanged ? 10 : 21);
        assert_int_equal(turned.height, exchanged ? 21 : 10);
        assert_int_equal(width, turned.width);
        assert_int_equal(height, turned.height);
        for (int j = 0; j < 3; j++) {
            const int at = corner[i / 2][j];
            const int y = at / 2 * (turned.height - 1), x = at % 2 * (turned.width - 1);
            assert_memory_equal(stored[j], turned.p + (y * turned.width + x) * 3, 3);
        }
        image_free(&turned);
        bytes_free(&exif);
    }
    image_free(&p);
    image_free(&plain);
    bytes_free(&file);
}

static const struct png_case {
    int depth, type, interlaced;
    unsigned char row[8];                       /* of two pixels */
    unsigned char want[6];                      /* B, G, R of both */
} png_cases[] = {
    {  1, PNG_COLOR_TYPE_GRAY,       0, { 0x40 },                               { 0, 0, 0, 255, 255, 255 } },
    {  2, PNG_COLOR_TYPE_GRAY,       0, { 0x90 },                               { 170, 170, 170, 85, 85, 85 } },
    {  8, PNG_COLOR_TYPE_GRAY,       1, { 7, 250 },                             { 7, 7, 7, 250, 250, 250 } },
    { 16, PNG_COLOR_TYPE_GRAY,       0, { 9, 255, 10, 0 },                      { 9, 9, 9, 10, 10, 10 } },
    {  8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, { 7, 0, 9, 128 },                       { 7, 7, 7, 9, 9, 9 } },
    {  8, PNG_COLOR_TYPE_RGB,        1, { 1, 2, 3, 4, 5, 6 },                   { 3, 2, 1, 6, 5, 4 } },
    {  8, PNG_COLOR_TYPE_RGB_ALPHA,  0, { 1, 2, 3, 0, 4, 5, 6, 200 },           { 3, 2, 1, 6, 5, 4 } },
    {  4, PNG_COLOR_TYPE_PALETTE,    0, { 0x10 },                               { 60, 50, 40, 30, 20, 10 } },
};

static void add_bytes(png_structp png, png_bytep p, size_t n)
{
    strbuf_add(png_get_io_ptr(png), p, n);
}

static struct strbuf make_png(const struct png_case *c)
{
    static const png_color palette[2] = { { 10, 20, 30 }, { 40, 50, 60 } };
    struct strbuf out = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &out, add_bytes, NULL);
    png_set_IHDR(png, info, 2, 1, c->depth, c->type, c->interlaced, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (c->type == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 2);
        png_set_tRNS(png, info, (png_const_bytep)"\0", 1, NULL);
    }
    png_set_gAMA(png, info, 0.2);               /* changes nothing */
    png_write_info(png, info);
    for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
        png_write_row(png, c->row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return out;
}

static void png_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof png_cases / sizeof *png_cases; i++) {
        struct strbuf file = make_png(&png_cases[i]);
        struct image p;
        assert_true(image_decode(&p, file.s, file.size, "kind", NULL));
        assert_int_equal(p.width, 2);
        assert_int_equal(p.height, 1);
        assert_memory_equal(p.p, png_cases[i].want, 6);
        image_free(&p);
        strbuf_free(&file);
    }
}

/* One colour of four components at the best quality; in = 255 - ink, as Adobe stores it. */
static void cmyk_as_opencv(void **state)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct bytes file = {0};
    unsigned long size = 0;
    struct image p;
    unsigned char row[8 * 4];
    JSAMPROW rows[1] = { row };
    (void)state;
    for (int i = 0; i < 8; i++)
        memcpy(row + 4 * i, (const unsigned char[]){ 200, 100, 50, 150 }, 4);
    jpeg.err = jpeg_std_error(&messages);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file.p, &size);
    jpeg.image_width = jpeg.image_height = 8;
    jpeg.input_components = 4;
    jpeg.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 8; y++)
        jpeg_write_scanlines(&jpeg, rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_true(image_decode(&p, file.p, size, "cmyk", NULL));
    const int want[3] = { 150 - (205 * 150 >> 8), 150 - (155 * 150 >> 8), 150 - (55 * 150 >> 8) };
    for (int i = 0; i < 8 * 8 * 3; i++)
        assert_true(abs(p.p[i] - want[i % 3]) <= 2);
    image_free(&p);
    bytes_free(&file);
}

static void small_files_get_no_large_memory(void **state)
{
    struct image p = gradient(16, 16);
    struct bytes jpeg, png;
    (void)state;
    assert_true(image_encode_jpeg(&p, 90, &jpeg, NULL));
    for (size_t i = 0; i + 9 < jpeg.size; i++)
        if (jpeg.p[i] == 0xff && jpeg.p[i + 1] == 0xc0)
            memcpy(jpeg.p + i + 5, "\xff\x00\xff\x00", 4);
    refuse(jpeg.p, jpeg.size, "truncated");
    assert_true(image_write_png(&p, image_path, NULL));
    assert_true(file_read(&png, image_path, NULL));
    memcpy(png.p + 16, "\x00\x0f\xff\xff\x00\x0f\xff\xff", 8);
    const unsigned long crc = 0x92d3c3da;       /* of the header so changed */
    for (int i = 0; i < 4; i++)
        png.p[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
    refuse(png.p, png.size, "truncated");
    image_free(&p);
    bytes_free(&jpeg);
    bytes_free(&png);
}

/* A scan of arithmetic coding takes nearly no bytes for an image of one colour. */
static void arithmetic_coding_gets_no_large_memory(void **state)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr messages;
    struct bytes file = {0};
    unsigned long size = 0;
    struct image p = gradient(16, 16), q;
    (void)state;
    jpeg.err = jpeg_std_error(&messages);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &file.p, &size);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_EXT_BGR;
    jpeg_set_defaults(&jpeg);
    jpeg.arith_code = TRUE;
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 16; y++)
        jpeg_write_scanlines(&jpeg, (JSAMPROW[1]){ p.p + y * 48 }, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_true(image_decode(&q, file.p, size, "small", NULL));
    for (size_t i = 0; i + 9 < size; i++)
        if (file.p[i] == 0xff && file.p[i + 1] == 0xc9)
            memcpy(file.p + i + 5, "\x40\x00\x40\x00", 4);
    refuse(file.p, size, "16384 x 16384 pixels in");
    int width, height;
    assert_false(image_decode_size(file.p, size, "small", &width, &height, NULL));    /* without decoding, too */
    image_free(&p);
    image_free(&q);
    bytes_free(&file);
}

static long most_memory(void)                   /* that this process ever had, in kB */
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* 64 texts of 4 MB each, compressed to 4 kB. */
static void compressed_texts_of_pngs_are_skipped(void **state)
{
    enum { TEXT = 4 << 20, COPIES = 64 };
    struct strbuf out = {0}, bomb = {0};
    struct image p;
    char *words = malloc(TEXT + 1);
    (void)state;
    assert_non_null(words);
    memset(words, 'a', TEXT);
    words[TEXT] = 0;
    png_text text = { .compression = PNG_TEXT_COMPRESSION_zTXt, .key = (char[]){ "k" }, .text = words };
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &out, add_bytes, NULL);
    png_set_IHDR(png, info, 2, 1, 8, PNG_COLOR_TYPE_GRAY, 0, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(png, info, &text, 1);
    png_write_info(png, info);
    png_write_row(png, (const unsigned char[]){ 7, 250 });
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    const char *chunk = (char *)memmem(out.s, out.size, "zTXt", 4) - 4;
    const size_t size = 12 + ((size_t)(unsigned char)chunk[2] << 8 | (unsigned char)chunk[3]);
    strbuf_add(&bomb, out.s, (size_t)(chunk - out.s));
    for (int i = 0; i < COPIES; i++)
        strbuf_add(&bomb, chunk, size);
    strbuf_add(&bomb, chunk + size, out.size - size - (size_t)(chunk - out.s));
    const long before = most_memory();
    assert_true(image_decode(&p, bomb.s, bomb.size, "bomb", NULL));
    assert_memory_equal(p.p, ((const unsigned char[]){ 7, 7, 7, 250, 250, 250 }), 6);
    assert_in_range(most_memory() - before, 0, 64 << 10);
    image_free(&p);
    strbuf_free(&out);
    strbuf_free(&bomb);
    free(words);
}

static void missing_files_are_named(void **state)
{
    struct image p;
    struct error err = {0};
    int width, height;
    (void)state;
    assert_false(image_read(&p, "no/such.jpg", &err));
    assert_non_null(strstr(err.text, "no/such.jpg"));
    assert_false(image_size("no/such.png", &width, &height, &err));
    assert_non_null(strstr(err.text, "no/such.png"));
}

/* FNV-1a of all pixels, as OpenCV decodes these files. */
static void real_images_as_opencv(void **state)
{
    static const struct { const char *file; uint64_t hash; } images[] = {
        { "../shared/data/coco_val/images/000000007888.jpg", UINT64_C(0x99e2a61529634189) },
        { "../shared/data/bccd/JPEGImages/BloodImage_00007.jpg", UINT64_C(0xab53ff42ac06d435) },
        { "../shared/data/coco_val/images/000000000139.jpg", UINT64_C(0xbe671d914e0ca7db) },
    };
    (void)state;
    if (!folder_exists("../shared/data")) {
        printf("SKIP real_images_as_opencv: no ../shared/data\n");
        skip();
    }
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct image p;
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        assert_true(image_read(&p, images[i].file, NULL));
        for (size_t j = 0; j < (size_t)p.width * (size_t)p.height * 3; j++)
            hash = (hash ^ p.p[j]) * UINT64_C(0x100000001b3);
        image_free(&p);
        assert_int_equal(hash, images[i].hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_round_trip),
        cmocka_unit_test(jpeg_round_trip),
        cmocka_unit_test(exif_orientation_turns),
        cmocka_unit_test(png_kinds),
        cmocka_unit_test(cmyk_as_opencv),
        cmocka_unit_test(small_files_get_no_large_memory),
        cmocka_unit_test(arithmetic_coding_gets_no_large_memory),
        cmocka_unit_test(compressed_texts_of_pngs_are_skipped),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(real_images_as_opencv),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
