/* tests/test_mjpeg.c -- frames of JPEG streams. */
#include "base/file.h"
#include "base/strbuf.h"
#include "data/mjpeg.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* SOI, a segment of `segment` bytes that hold a whole image of their own, a scan with 0xff in it, EOI. */
static void add_frame(struct strbuf *t, unsigned char mark)
{
    const unsigned char frame[] = { 0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2, 0xff, 0xff, 0xda, 0, 3,
                                    mark, 5, 0xff, 0, 6, 0xff, 0xd0, 7, 0xff, 0xd9 };
    strbuf_add(t, frame, sizeof frame);
}

static void test_frames_of_a_stream(void **state)
{
    struct strbuf t = {0};
    struct mjpeg m = {0};
    struct bytes frame;
    struct error err = {0};
    int count = 0;
    (void)state;
    strbuf_addf(&t, "--boundary\r\nContent-Type: image/jpeg\r\n\r\n");
    add_frame(&t, 0);
    strbuf_add(&t, "\r\n\xff\xff", 4);
    add_frame(&t, 1);
    strbuf_add(&t, "\xff\xd8\xff\xda\0\2cut off", 13);          /* by the next one */
    add_frame(&t, 2);
    strbuf_add(&t, "\xff\xd8nothing", 9);
    add_frame(&t, 3);
    strbuf_add(&t, "\xff\xd8\xff\xe0", 4);                      /* by the end */
    FILE *stream = fmemopen(t.s, t.size, "rb");
    while (mjpeg_next(&m, stream, &frame, &err) && frame.p) {
        assert_int_equal(frame.size, 27);
        assert_int_equal(frame.p[17], count++);
    }
    assert_int_equal(count, 4);
    assert_int_equal(m.broken, 3);
    fclose(stream);
    mjpeg_free(&m);
    strbuf_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_of_a_stream) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
