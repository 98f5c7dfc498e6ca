/* eval/ignored_regions.h -- which pixels of an image lie in ignored regions, counted as the VisDrone toolkit does.
 * Boxes are x, y, width, height in pixels counted from 1, each value rounded (half away from zero) and at least 1. */
#ifndef EVAL_IGNORED_REGIONS_H
#define EVAL_IGNORED_REGIONS_H
#include "base/error.h"

enum { REGION_PIXELS = 1 << 26 };               /* of an image, at most */

struct regions { int width, height; int *sum; };

/* 1 <= width x height <= REGION_PIXELS.  regions_free releases it. */
bool regions_init(struct regions *, int width, int height, struct error *);
void regions_free(struct regions *);

/* First every region is marked, columns x .. x+width and rows y .. y+height, both ends included and as far as the
 * image goes; then regions_close, once; then boxes may be asked about. */
void regions_mark(struct regions *, const double box[4]);
void regions_close(struct regions *);

/* True if the marked pixels in columns x+1 .. x+width and rows y+1 .. y+height, x and y being limited to the image, are
 * at least half of width x height. */
bool regions_cover(const struct regions *, const double box[4]);
#endif
