/* tests/put.h -- small files in the folder of a test; see folder.h. */
#ifndef TESTS_PUT_H
#define TESTS_PUT_H
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static inline void put_bytes(const char *name, const void *p, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s", in_folder(name));
    *strrchr(path, '/') = 0;
    assert_true(make_folders(path, NULL));
    assert_true(file_write(in_folder(name), p, size, NULL));
}

static inline void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static inline void put_image(const char *name, int width, int height)
{
    struct image p;
    put(name, "");
    assert_true(image_new(&p, width, height, NULL));
    memset(p.p, 90, 3 * (size_t)width * (size_t)height);
    assert_true(strstr(name, ".png") ? image_write_png(&p, in_folder(name), NULL)
                                     : image_write_jpeg(&p, 80, in_folder(name), NULL));
    image_free(&p);
}

/* One of the lines begins with that text. */
static inline void assert_has_line(const struct string_list *lines, const char *start)
{
    for (int i = 0; i < lines->count; i++)
        if (strncmp(lines->list[i], start, strlen(start)) == 0)
            return;
    fail_msg("no line '%s...' among %d", start, lines->count);
}

/* A note's places hold the text, and there are so many of them. */
static inline void assert_note(const struct dataset *set, enum note_kind kind, int count, const char *place)
{
    const struct dataset_note *note = &set->notes[kind];
    assert_int_equal(note->count, count);
    if (count && !strstr(note->first.list[0], place))
        fail_msg("'%s', not '%s'", note->first.list[0], place);
}
#endif
