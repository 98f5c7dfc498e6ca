/* interop/onnx/view.h -- how a value of an ONNX graph arranges the numbers of a layer's map.
 * Reshapes and transposes move no number to another layer: they say in which order a map is looked at.  A view is that
 * order.  Its extents are cut into atoms, outermost first, each a stretch of one axis of the map; a channel shuffle is
 * the view whose atoms are N, C of stride 1, C of stride channels / groups, Y, X. */
#ifndef INTEROP_ONNX_VIEW_H
#define INTEROP_ONNX_VIEW_H
#include "base/error.h"
#include <stdint.h>

enum axis { AXIS_N, AXIS_C, AXIS_Y, AXIS_X, AXES };
enum { VIEW_RANK = 8, VIEW_ATOMS = 16, VIEW_EXTENT = 1 << 16 /* most of c */ };

struct map { int extent[AXES]; };               /* n, c, h, w */

/* Atoms of extent 1 are left out; those of extent i belong to atoms [first[i], first[i + 1]). */
struct view {
    int rank, extent[VIEW_RANK], first[VIEW_RANK + 1], atoms;
    struct atom { enum axis axis; int stride, extent; } atom[VIEW_ATOMS];
};

struct view view_of(const struct map *);                        /* [n][c][h][w] */
bool view_is_plain(const struct view *, const struct map *);
bool view_same(const struct view *, const struct view *);

/* The groups of the shuffle that leads from the plain map to this view, which has its shape; 0: it is no shuffle. */
int view_shuffle(const struct view *, const struct map *);

/* False, and nothing changed, if the view has no such. */
bool view_reshape(struct view *, const int64_t *extents, int rank);     /* an extent may be -1: what is left */
bool view_transpose(struct view *, const int64_t *order, int rank);
void view_drop(struct view *, int dim);                         /* an extent, and what lies in it */

/* The extent that is all channels and nothing else; -1 if there is none.  Then the view of a map with others there. */
int view_channels(const struct view *, const struct map *);
struct view view_resized(const struct view *, int dim, int channels);

/* Is it [n][heads][pixels][d], or [n][heads][d][pixels], whatever of n and heads is one extent? */
bool view_of_heads(const struct view *, const struct map *, bool pixels_last);
#endif
