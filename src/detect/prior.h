/* detect/prior.h -- priors: the points, one a cell of every level's grid, that boxes are predicted from.
 * Level l of stride s has ceil(H/s) x ceil(W/s) cells; the prior of cell (y, x) is ((x + offset) s, (y + offset) s):
 * offset 0 in NanoDet-Plus, the cell's corner, and 0.5 in NanoDet, its centre.
 * The priors of an image are numbered level by level in the order of the strides, rows first.  Predictions lie as
 * the network writes them, [level][image][y][x][channels]; prior_row leads from the one order to the other. */
#ifndef DETECT_PRIOR_H
#define DETECT_PRIOR_H
#include "base/error.h"
#include <stddef.h>

enum { LEVELS_MAX = 8 };

struct prior_grid {
    int levels, images, height, width;      /* height and width of the network's input, in pixels */
    double offset;
    int stride[LEVELS_MAX], h[LEVELS_MAX], w[LEVELS_MAX];
    int first[LEVELS_MAX + 1];              /* priors of an image before level l; first[levels]: all of them */
};

struct prior { double x, y, stride; };      /* in pixels of the network's input */

/* Exit 2 if there are more than LEVELS_MAX levels, a number is not positive, or the rows do not fit in an int. */
bool prior_grid_init(struct prior_grid *, const int *stride, int levels, double offset, int images, int height,
                     int width, struct error *);

int prior_count(const struct prior_grid *);                     /* of one image */
struct prior prior_at(const struct prior_grid *, int prior);
ptrdiff_t prior_row(const struct prior_grid *, int image, int prior);

/* inside[prior_count]: does the prior lie strictly inside at least one of the boxes?  Boxes are finite. */
void priors_inside(const struct prior_grid *, int boxes, const float (*box)[4], bool *inside);
#endif
