/* detect/prior.h -- priors: the points, one per cell of each level's grid, that boxes are predicted from.
 * Level l with stride s has ceil(H/s) x ceil(W/s) cells.  The prior of cell (y, x) is ((x + offset) s, (y + offset) s);
 * offset is 0 (the cell's corner) in NanoDet-Plus and 0.5 (the cell's centre) in NanoDet.
 * The priors of an image are numbered level by level in the order of the strides, row by row.  Predictions have the
 * network's order, [level][image][y][x][channels]; prior_row converts the first order to the second. */
#ifndef DETECT_PRIOR_H
#define DETECT_PRIOR_H
#include "base/error.h"
#include <stddef.h>

enum { LEVELS_MAX = 8 };

struct prior_grid {
    int levels, images, height, width;      /* height and width of the network's input, in pixels */
    double offset;
    int stride[LEVELS_MAX], h[LEVELS_MAX], w[LEVELS_MAX];
    int first[LEVELS_MAX + 1];              /* priors per image before level l; first[levels]: in all levels */
};

struct prior { double x, y, stride; };      /* in pixels of the network's input */

/* Exit 2 if there are more than LEVELS_MAX levels, an argument is not positive, or the rows do not fit in an int. */
bool prior_grid_init(struct prior_grid *, const int *stride, int levels, double offset, int images, int height,
                     int width, struct error *);

int prior_count(const struct prior_grid *);                     /* per image */
struct prior prior_at(const struct prior_grid *, int prior);
ptrdiff_t prior_row(const struct prior_grid *, int image, int prior);

/* A line is a row of cells of one image and level: priors first .. end - 1 of the image.  Lines are chunks of work. */
struct prior_line { int image, first, end; };
int prior_line_count(const struct prior_grid *);                /* of all images */
struct prior_line prior_line_at(const struct prior_grid *, int line);

/* inside[prior_count]: does the prior lie strictly inside at least one of the boxes?  Boxes are finite. */
void priors_inside(const struct prior_grid *, int boxes, const float (*box)[4], bool *inside);
#endif
