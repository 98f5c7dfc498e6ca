/* interop/ncnn/text.h -- the lines of an ncnn param file, before anything is known of layers. */
#ifndef INTEROP_NCNN_TEXT_H
#define INTEROP_NCNN_TEXT_H
#include "base/file.h"

/* A line: type, name, how many blobs it reads and writes, those, and numbers `id=value` or
 * `-(23300 + id)=count,value,...`. */
struct ncnn_line {
    const char *type, *name;
    int number;                                 /* of the line, from 1 */
    char **bottom, **top, **param;
    int bottoms, tops, params;
};

/* {0} is empty. */
struct ncnn_text {
    struct ncnn_line *lines; int count, capacity;
    char *copy, **words;                        /* what the lines point into */
};

/* Checks the two lines at the top and that every number is one. */
bool ncnn_text_read(struct ncnn_text *, struct bytes file, const char *path, struct error *);
void ncnn_text_free(struct ncnn_text *);

/* The number of that id, or preset where the line has none; an integer beyond 30 bits becomes one of 30. */
double ncnn_number(const struct ncnn_line *, int id, double preset);
int ncnn_integer(const struct ncnn_line *, int id, int preset);

/* The array of that id: writes its numbers, at most `most`, and gives how many it has; -1: the line has none.  Likewise
 * as integers of 30 bits. */
int ncnn_array(const struct ncnn_line *, int id, double *out, int most);
int ncnn_integers(const struct ncnn_line *, int id, int *out, int most);
#endif
