/* interop/ncnn/text.h -- parses the lines of an ncnn param file; interprets no layer. */
#ifndef INTEROP_NCNN_TEXT_H
#define INTEROP_NCNN_TEXT_H
#include "base/file.h"

/* A line: type, name, number of input and output blobs, their names, and parameters `id=value` or
 * `-(23300 + id)=count,value,...`. */
struct ncnn_line {
    const char *type, *name;
    int number;                                 /* line number, from 1 */
    char **bottom, **top, **param;
    int bottoms, tops, params;
};

/* {0} is empty. */
struct ncnn_text {
    struct ncnn_line *lines; int count, capacity;
    char *copy, **words;                        /* the lines point into these */
};

/* Checks the two header lines and that every parameter is a number. */
bool ncnn_text_read(struct ncnn_text *, struct bytes file, const char *path, struct error *);
void ncnn_text_free(struct ncnn_text *);

/* The parameter with that id, or preset if it is absent; integers are clamped to 30 bits. */
double ncnn_number(const struct ncnn_line *, int id, double preset);
int ncnn_integer(const struct ncnn_line *, int id, int preset);

/* The array with that id: writes at most max elements and returns its length; -1: absent.  ncnn_integers clamps to 30
 * bits. */
int ncnn_array(const struct ncnn_line *, int id, double *out, int max);
int ncnn_integers(const struct ncnn_line *, int id, int *out, int max);
#endif
