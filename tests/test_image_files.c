/* tests/test_image_files.c -- damaged image files, unsupported kinds, and orientations that follow the pixels. */
#include "base/file.h"
#include "base/strbuf.h"
#include "images.h"
#include "there.h"

/* The offset of the data of the first scan. */
static size_t scan_of(struct bytes jpeg)
{
    size_t i = 2;
    while (jpeg.p[i + 1] != 0xda)
        i += 2 + (size_t)(jpeg.p[i + 2] << 8 | jpeg.p[i + 3]);
    return i + 2 + (size_t)(jpeg.p[i + 2] << 8 | jpeg.p[i + 3]);
}

static void assert_probe(const void *p, size_t size, int width, int height, bool complete)
{
    struct image_probe probe;
    struct error err = {0};
    assert_true(file_write(image_path, p, size, NULL));
    if (!image_probe(image_path, &probe, &err))
        fail_msg("%s", err.text);
    assert_int_equal(probe.width, width);
    assert_int_equal(probe.height, height);
    assert_int_equal(probe.complete, complete);
}

/* As cv2.imread: the first rows are those of the whole, and the image says that it is truncated. */
static void cut_jpegs_are_read(void **state)
{
    struct image p = gradient(64, 48), whole, q;
    struct bytes jpeg;
    (void)state;
    assert_true(image_encode_jpeg(&p, 90, &jpeg, NULL));
    assert_true(image_decode(&whole, jpeg.p, jpeg.size, "whole", NULL));
    assert_false(whole.truncated);
    assert_probe(jpeg.p, jpeg.size, 64, 48, true);
    const size_t scan = scan_of(jpeg);
    for (size_t n = 3; n < jpeg.size - 1; n += 7) {
        if (n < scan) {
            refuse(jpeg.p, n, "JPEG");
            continue;
        }
        const struct region top = { 0, 0, 64, 1, 0 };
        assert_true(image_decode(&q, jpeg.p, n, "cut", NULL));
        assert_true(q.truncated && q.width == 64 && q.height == 48);
        const int same = n - scan > (jpeg.size - scan) / 2 ? 15 : 0;       /* rows of the first blocks */
        assert_memory_equal(q.p, whole.p, (size_t)same * 64 * 3);
        image_free(&q);
        assert_true(image_decode_region(&q, &top, jpeg.p, n, "cut", NULL));
        assert_true(q.truncated);
        image_free(&q);
        assert_probe(jpeg.p, n, 64, 48, false);
    }
    image_free(&p);
    image_free(&whole);
    bytes_free(&jpeg);
}

static void cut_pngs_are_refused(void **state)
{
    struct image p = gradient(64, 48);
    struct image_probe probe;
    struct bytes png;
    struct error err;
    (void)state;
    assert_true(image_write_png(&p, image_path, NULL));
    assert_true(file_read(&png, image_path, NULL));
    assert_probe(png.p, png.size, 64, 48, true);
    for (size_t n = 8; n < png.size; n++) {
        refuse(png.p, n, "truncated");
        assert_true(file_write(image_path, png.p, n, NULL));
        assert_false(image_probe(image_path, &probe, &err));
    }
    png.p[png.size / 2] ^= 1;
    refuse(png.p, png.size, "CRC");
    image_free(&p);
    bytes_free(&png);
}

/* Bytes behind the end, a thumbnail with an end of its own, a file of more than is read at either end. */
static void truncation_is_detected(void **state)
{
    enum { MORE = 100000 };
    static const unsigned char thumbnail[] = { 0xff, 0xe1, 0, 12, 'E', 'x', 'i', 'f', 0, 0, 0xff, 0xd8, 0xff, 0xd9 };
    struct image p = gradient(400, 300);
    struct bytes jpeg;
    struct strbuf file = {0};
    uint32_t noise = 1;
    (void)state;
    for (int i = 0; i < 400 * 300 * 3; i++)
        p.p[i] ^= (unsigned char)((noise = noise * 1664525 + 1013904223) >> 26);
    assert_true(image_encode_jpeg(&p, 95, &jpeg, NULL));
    assert_true(jpeg.size > 40000);
    strbuf_add(&file, jpeg.p, 2);
    strbuf_add(&file, thumbnail, sizeof thumbnail);
    strbuf_add(&file, jpeg.p + 2, jpeg.size - 2);
    assert_probe(file.s, file.size, 400, 300, true);
    assert_probe(file.s, file.size - 1, 400, 300, false);
    assert_probe(file.s, file.size - 20000, 400, 300, false);
    for (int i = 0; i < MORE; i++)
        strbuf_add(&file, "x", 1);
    assert_probe(file.s, file.size, 400, 300, true);
    strbuf_free(&file);
    bytes_free(&jpeg);
    image_free(&p);
}

static void other_image_kinds_are_named(void **state)
{
    static const struct { const char *start; size_t size; const char *message; } kinds[] = {
        { "", 0, "broken: is empty" },
        { "GIF89a", 6, "is a GIF image; convert it to JPEG or PNG" },
        { "RIFF\x24\0\0\0WEBPVP8 ", 16, "is a WebP image" },
        { "BM\x36\x90\0\0", 6, "is a BMP image" },
        { "\0\0\0\x18" "ftypheic", 12, "is a HEIC image" },
        { "II*\0", 4, "is a TIFF image" },
        { "<html><body>Not found", 21, "is an HTML page" },
        { "version https://git-lfs.github.com/spec/v1\n", 43, "is a pointer of Git LFS" },
        { "x", 1, "is a text file" },
        { "\1\2\3\4", 4, "is neither JPEG nor PNG" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        refuse(kinds[i].start, kinds[i].size, kinds[i].message);
}

/* The chunk: its length, name, data and checksum. */
static void add_chunk(struct strbuf *png, const char name[4], const void *data, unsigned size)
{
    unsigned char head[8] = { (unsigned char)(size >> 24), (unsigned char)(size >> 16), (unsigned char)(size >> 8),
                              (unsigned char)size };
    uint32_t crc = UINT32_MAX;
    memcpy(head + 4, name, 4);
    strbuf_add(png, head, 8);
    strbuf_add(png, data, size);
    for (size_t i = png->size - size - 4; i < png->size; i++) {
        crc ^= (unsigned char)png->s[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    crc = ~crc;
    strbuf_add(png, (const unsigned char[]){ (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                                               (unsigned char)(crc >> 8), (unsigned char)crc }, 4);
}

/* In kB, touched or not. */
static long most_address_space(void)
{
    struct bytes status;
    assert_true(file_read(&status, "/proc/self/status", NULL));
    const char *line = strstr((const char *)status.p, "VmPeak:");
    assert_non_null(line);
    const long peak = atol(line + 7);
    bytes_free(&status);
    return peak;
}

static void chunks_are_no_larger_than_the_file(void **state)
{
    struct image p = gradient(64, 48);
    struct bytes png;
    struct strbuf file = {0};
    (void)state;
    assert_true(image_write_png(&p, image_path, NULL) && file_read(&png, image_path, NULL));
    enum { HEAD = 8 + 25 };                             /* what a file begins with, and its first chunk */
    strbuf_add(&file, png.p, HEAD);
    strbuf_add(&file, "\x64\0\0\x1a" "eXIfMM", 10);
    strbuf_add(&file, png.p + HEAD, png.size - HEAD);
    const long before = most_address_space();
    refuse(file.s, file.size, "truncated");
    assert_in_range(most_address_space() - before, 0, 64 << 10);
    strbuf_free(&file);
    bytes_free(&png);
    image_free(&p);
}

/* An orientation behind the pixels rotates the image as in OpenCV, and every function for the size accounts for it. */
static void late_exif_turns_pngs(void **state)
{
    static const unsigned char quarter[26] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6 };
    static unsigned char filler[50000];
    (void)state;
    for (int large = 0; large < 2; large++) {           /* a large file is not read whole */
        struct image p = gradient(40, 30), q;
        struct bytes png;
        struct strbuf late = {0};
        int width, height;
        assert_true(image_write_png(&p, image_path, NULL));
        assert_true(file_read(&png, image_path, NULL));
        strbuf_add(&late, png.p, png.size - 12);
        if (large)
            add_chunk(&late, "xxXx", filler, sizeof filler);
        add_chunk(&late, "eXIf", quarter, sizeof quarter);
        add_chunk(&late, "IEND", NULL, 0);
        assert_probe(late.s, late.size, 30, 40, true);
        assert_true(image_decode_size(late.s, late.size, "late", &width, &height, NULL));
        assert_true(image_decode(&q, late.s, late.size, "late", NULL));
        assert_true(width == 30 && height == 40 && q.width == 30 && q.height == 40);
        assert_memory_equal(q.p, p.p + 29 * 40 * 3, 3);
        image_free(&p);
        image_free(&q);
        bytes_free(&png);
        strbuf_free(&late);
    }
}

static void too_large_images_are_named(void **state)
{
    struct image p = gradient(16, 16);
    struct bytes jpeg, padded;
    struct error err = {0};
    int width, height;
    (void)state;
    assert_true(image_encode_jpeg(&p, 90, &jpeg, NULL));
    for (size_t i = 0; i + 9 < jpeg.size; i++)
        if (jpeg.p[i] == 0xff && jpeg.p[i + 1] == 0xc0)
            memcpy(jpeg.p + i + 5, "\x42\x68\x42\x68", 4);        /* 17000 x 17000 */
    padded = (struct bytes){ calloc(1, 1 << 20), 1 << 20 };
    assert_non_null(padded.p);
    memcpy(padded.p, jpeg.p, jpeg.size);
    refuse(padded.p, padded.size, "broken: an image of 17000 x 17000 pixels is too large: at most 268 million pixels");
    assert_false(image_decode_size(padded.p, padded.size, "broken", &width, &height, &err));
    assert_non_null(strstr(err.text, "broken: an image of 17000 x 17000 pixels is too large"));
    image_free(&p);
    bytes_free(&jpeg);
    bytes_free(&padded);
}

/* FNV-1a of all pixels, as cv2.imread of OpenCV 4.10 to 5.0 decodes these files; 0: it refuses them. */
static void damaged_files_as_opencv(void **state)
{
    static const struct { const char *file; uint64_t hash; } images[] = {
        { "cut.jpg", UINT64_C(0xbfd895a209ed5b74) },
        { "noeoi.jpg", UINT64_C(0x8deddb4c1744c301) },
        { "trail.jpg", UINT64_C(0x8deddb4c1744c301) },
        { "mpo.jpg", UINT64_C(0xe58b56a051be4e00) },
        { "exif6.jpg", UINT64_C(0x94394f80b5630ce8) },
        { "exif6late.png", UINT64_C(0xdaa29644506c6f6f) },
        { "exif6.png", UINT64_C(0xdaa29644506c6f6f) },
        { "apng.png", UINT64_C(0xb53ec9326c9e0185) },
        { "cmyk.jpg", UINT64_C(0x2dc88e43903cac83) },
        { "pal.png", UINT64_C(0xba49dd69d78697da) },
        { "la.png", UINT64_C(0xe56b690142b15a4f) },
        { "g16.png", UINT64_C(0xd0b2f44105219a45) },
        { "cut.png", 0 },
        { "noiend.png", 0 },
        { "zero.jpg", 0 },
    };
    (void)state;
    if (!folder_exists("../shared/reports/05-predict-ends-at-bad-file/imgs")) {
        printf("SKIP damaged_files_as_opencv: no ../shared/reports\n");
        skip();
    }
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct strbuf file = {0};
        struct image p;
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        strbuf_addf(&file, "../shared/reports/05-predict-ends-at-bad-file/imgs/%s", images[i].file);
        const bool ok = image_read(&p, file.s, NULL);
        for (size_t j = 0; ok && j < (size_t)p.width * (size_t)p.height * 3; j++)
            hash = (hash ^ p.p[j]) * UINT64_C(0x100000001b3);
        assert_int_equal(ok ? hash : 0, images[i].hash);
        image_free(&p);
        strbuf_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_jpegs_are_read),
        cmocka_unit_test(cut_pngs_are_refused),
        cmocka_unit_test(truncation_is_detected),
        cmocka_unit_test(other_image_kinds_are_named),
        cmocka_unit_test(chunks_are_no_larger_than_the_file),
        cmocka_unit_test(late_exif_turns_pngs),
        cmocka_unit_test(too_large_images_are_named),
        cmocka_unit_test(damaged_files_as_opencv),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
