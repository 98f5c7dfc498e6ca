/* tests/images.h -- a file for images, a function that writes an image into it, and error checks. */
#ifndef TESTS_IMAGES_H
#define TESTS_IMAGES_H
#include "data/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char image_path[] = "test_image_XXXXXX";

static inline int make_path(void **state)
{
    (void)state;
    const int fd = mkstemp(image_path);
    return fd < 0 ? -1 : close(fd);
}

static inline int remove_path(void **state)
{
    (void)state;
    return remove(image_path);
}

static inline struct image gradient(int width, int height)
{
    struct image p;
    assert_true(image_new(&p, width, height, NULL));
    for (int i = 0; i < width * height * 3; i++)
        p.p[i] = (unsigned char)(i / 3 % width * 160 / width + i % 3 * 20 + i / 3 / width * 30 / height);
    return p;
}

static inline void refuse(const void *p, size_t size, const char *what)
{
    struct image image;
    struct error err = {0};
    assert_false(image_decode(&image, p, size, "broken", &err));
    assert_null(image.p);
    assert_int_equal(err.exit, 1);
    assert_non_null(strstr(err.text, "broken"));
    if (!strstr(err.text, what))
        fail_msg("%s, not %s", err.text, what);
}
#endif
