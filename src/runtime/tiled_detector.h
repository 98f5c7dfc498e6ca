/* runtime/tiled_detector.h -- within the room: detection in an image of any size, part by part. */
#ifndef RUNTIME_TILED_DETECTOR_H
#define RUNTIME_TILED_DETECTOR_H
#include "runtime/detector.h"

/* Detects in the tiles of an image that is larger than a tile, as d->tiles specifies (tile_grids).  An object that is
 * cut in each tile of a grid is larger than the overlap of these tiles; the next grid shows it at half the size, and
 * its tiles overlap by twice as much.  Detections at an inner border of their tile are left out (box_is_cut);
 * merge_passes joins the others.
 * Fills detections and count[0].  The memory for pixels and graphs does not depend on the number of tiles. */
bool detect_tiles(struct detector *, struct image_size tile, const struct image *, struct error *);
#endif
