/* interop/ncnn/read.h -- shared by the parts of ncnn's reader. */
#ifndef INTEROP_NCNN_READ_H
#define INTEROP_NCNN_READ_H
#include "base/file.h"
#include "interop/ncnn/ncnn.h"
#include "interop/ncnn/text.h"

/* The layout of a value's elements in a blob; c: its channels.  A blob with several values holds several levels. */
enum ncnn_layout {
    MAP         = 1,            /* [c][y][x], or a vector [c] for a single pixel */
    FLAT        = 2,            /* [c][pixels] */
    PIXELS      = 4,            /* [pixels][c] */
    MAP_PIXELS  = 8,            /* [y][x][c] */
    HEADS       = 16,           /* [heads][c / heads][pixels] */
    HEAD_PIXELS = 32,           /* [heads][pixels][c / heads] */
    SCORES      = 64,           /* [heads][query pixels][key pixels]; values: query and key */
    BINS        = 128,          /* [pixels][4 sides][bins], before or after a softmax */
    DISTANCES   = 256,          /* [pixels][4 sides]: the mean bin */
    JOINED      = 512,          /* in ncnn_type.layouts: accepts blobs with several levels */
    ANY         = MAP | FLAT | PIXELS | MAP_PIXELS | HEADS | HEAD_PIXELS
};

struct ncnn_blob {
    const char *name;
    enum ncnn_layout layout;
    int value[LAYER_OPERANDS], values;
    int heads;
    double scale;               /* of scores */
    bool softmax;               /* of SCORES and BINS: the softmax is done */
    bool read;                  /* by a later layer */
};

struct ncnn_reader {
    struct network *net;
    struct ncnn_blob *blobs; int blob_count, blob_capacity;
    int *strides; int stride_capacity;                          /* [net->count] network_stride of each layer */
    struct bytes weights; size_t at;
    int made;                                               /* number of generated weights, which are not in the file */
    const char *path;
    struct error *err;
    const struct ncnn_line *line;                           /* the current line */
    struct ncnn_blob *in[LAYER_OPERANDS];                   /* its input blobs */
    struct ncnn_blob out[LAYER_OPERANDS];                   /* its output blobs, set by ncnn_type.read */
};

/* A type of layer; read converts the current line, from in to out. */
struct ncnn_type {
    const char *name;
    int bottoms[2], tops[2];                                /* min and max */
    int layouts;                                            /* accepted input layouts */
    bool (*read)(struct ncnn_reader *);
};
extern const struct ncnn_type ncnn_map_types[], ncnn_layout_types[];
const struct ncnn_type *ncnn_activation_type(const char *name);         /* NULL: not the name of an activation */

/* fail(), with the line and its layer before the reason. */
bool ncnn_refuse(struct ncnn_reader *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends a layer with the name of the line; -1 on failure.  The caller sets its fields, then calls ncnn_finish. */
int ncnn_add(struct ncnn_reader *, enum layer_kind, const int *operands, int count);
bool ncnn_finish(struct ncnn_reader *, int layer);

/* Sets output blob i to the value, in the layout of input blob 0. */
void ncnn_put(struct ncnn_reader *, int i, int value);

/* Adds the next weights of the file as tensor NAME.suffix; NO_TENSOR on failure.  flagged: a flag before the weights
 * gives their type. */
int ncnn_weight(struct ncnn_reader *, const char *suffix, bool flagged, int rank, const size_t *dims);

/* Adds the fused activation of ids 9 and 10, if any, after *value. */
bool ncnn_fused_activation(struct ncnn_reader *, int *value);

/* Reads the mean of bins, spelled as a product with the weights that follow. */
bool ncnn_mean_bin(struct ncnn_reader *);

int ncnn_channels(const struct ncnn_reader *, int value);
bool ncnn_is_pixel(const struct ncnn_reader *, int value);  /* a single pixel for any input size */
#endif
