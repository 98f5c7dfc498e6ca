/* interop/ncnn/read.h -- what the files of ncnn's reader share. */
#ifndef INTEROP_NCNN_READ_H
#define INTEROP_NCNN_READ_H
#include "interop/ncnn/ncnn.h"
#include "interop/ncnn/text.h"

/* How the numbers of a value lie in a blob; c: its channels.  A blob of other than one value is a row of levels. */
enum ncnn_layout {
    MAP         = 1,            /* [c][y][x], or a vector [c] if it is one pixel */
    FLAT        = 2,            /* [c][pixels] */
    PIXELS      = 4,            /* [pixels][c] */
    MAP_PIXELS  = 8,            /* [y][x][c] */
    HEADS       = 16,           /* [heads][c / heads][pixels] */
    HEAD_PIXELS = 32,           /* [heads][pixels][c / heads] */
    SCORES      = 64,           /* [heads][pixels of the query][pixels of the key], values: query and key */
    BINS        = 128,          /* [pixels][4 sides][bins], after a softmax if that is done */
    DISTANCES   = 256,          /* [pixels][4 sides]: the mean bin, which a file may compute itself */
    JOINED      = 512,          /* said of what a type of layer takes: blobs of several levels, each one as it is */
    ANY         = MAP | FLAT | PIXELS | MAP_PIXELS | HEADS | HEAD_PIXELS
};

struct ncnn_blob {
    const char *name;
    enum ncnn_layout layout;
    int value[LAYER_OPERANDS], values;
    int heads;
    double scale;               /* of scores */
    bool softmax;               /* of scores, of bins: done */
    bool read;                  /* by a later layer */
};

struct ncnn_reader {
    struct network *net;
    struct ncnn_blob *blobs; int blob_count, blob_capacity;
    int *steps; int step_capacity;                          /* of each layer of the network */
    struct bytes weights; size_t at;
    int made;                                               /* numbers of weights that are not in the file */
    const char *path;
    struct error *err;
    const struct ncnn_line *line;                           /* what is being read */
    struct ncnn_blob *in[LAYER_OPERANDS];                   /* the blobs it reads */
    struct ncnn_blob out[LAYER_OPERANDS];                   /* that it writes: made by its row's function */
};

/* Reads the line from in to out. */
struct ncnn_type {
    const char *name;
    int bottoms[2], tops[2];                                /* least and most */
    int layouts;                                            /* that it can take */
    bool (*read)(struct ncnn_reader *);
};
extern const struct ncnn_type ncnn_map_types[], ncnn_row_types[];

/* The line and its layer before the reason; false. */
bool ncnn_refuse(struct ncnn_reader *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends a layer to the network, named as the line; -1 on failure.  ncnn_finish checks it once it is filled in. */
int ncnn_add(struct ncnn_reader *, enum layer_kind, const int *operands, int count);
bool ncnn_finish(struct ncnn_reader *, int layer);

/* Out blob i becomes value in the layout of in blob 0. */
void ncnn_put(struct ncnn_reader *, int i, int value);

/* The next weights of the file, as a tensor NAME.suffix of the network, or NO_TENSOR on failure.  Flagged ones say
 * before them how many bits they have. */
int ncnn_weight(struct ncnn_reader *, const char *suffix, bool flagged, int rank, const size_t *dims);

/* Adds what ids 9 and 10 say of an activation to *value. */
bool ncnn_fused_activation(struct ncnn_reader *, int *value);

/* The mean of bins by the weights that follow, as a layer of products or of a matrix spells it. */
bool ncnn_mean_bin(struct ncnn_reader *);

int ncnn_channels(const struct ncnn_reader *, int value);
bool ncnn_is_pixel(const struct ncnn_reader *, int value);  /* one pixel, whatever the input's size */
#endif
