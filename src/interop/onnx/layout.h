/* interop/onnx/layout.h -- the order in which a value of an ONNX graph arranges the elements of a layer's map.
 * Reshapes and transposes change only this layout.  Each dimension of a layout consists of atoms, outermost first; an
 * atom is a strided range of one axis of the map.  A channel shuffle is the layout with the atoms N, C of stride 1,
 * C of stride channels / groups, Y, X. */
#ifndef INTEROP_ONNX_LAYOUT_H
#define INTEROP_ONNX_LAYOUT_H
#include "base/error.h"
#include <stdint.h>

enum axis { AXIS_N, AXIS_C, AXIS_Y, AXIS_X, AXES };
enum { LAYOUT_RANK = 8, LAYOUT_ATOMS = 16, LAYOUT_EXTENT = 1 << 16 /* max channels */ };

struct map { int extent[AXES]; };               /* n, c, h, w */

/* Dimension i consists of atoms [first[i], first[i + 1]).  Atoms of extent 1 are omitted. */
struct map_layout {
    int rank, extent[LAYOUT_RANK], first[LAYOUT_RANK + 1], atoms;
    struct atom { enum axis axis; int stride, extent; } atom[LAYOUT_ATOMS];
};

struct map_layout layout_of(const struct map *);                        /* [n][c][h][w] */
bool layout_is_plain(const struct map_layout *, const struct map *);
bool layout_same(const struct map_layout *, const struct map_layout *);

/* The groups of the channel shuffle that turns the plain layout into this one; 0: it is not a shuffle. */
int layout_shuffle(const struct map_layout *, const struct map *);

/* False, with nothing changed, if the layout does not permit it. */
bool layout_reshape(struct map_layout *, const int64_t *extents, int rank);     /* one extent may be -1: the rest */
bool layout_transpose(struct map_layout *, const int64_t *order, int rank);
void layout_drop(struct map_layout *, int dim);                         /* removes a dimension with its atoms */

/* The dimension that consists of all channels and nothing else; -1 if there is none.  layout_resized: the layout of a
 * map with another number of channels there. */
int layout_channels(const struct map_layout *, const struct map *);
struct map_layout layout_resized(const struct map_layout *, int dim, int channels);

/* Is it [n][heads][pixels][d] or, if pixels_last, [n][heads][d][pixels]?  n and heads may be one dimension. */
bool layout_of_heads(const struct map_layout *, const struct map *, bool pixels_last);
#endif
