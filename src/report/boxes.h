/* report/boxes.h -- draws detections into an image. */
#ifndef REPORT_BOXES_H
#define REPORT_BOXES_H
#include "base/error.h"
#include "report/font.h"
#include <stdint.h>

struct drawn_box {
    double box[4];              /* x, y, width, height in pixels */
    int category;               /* >= 0: chooses the colour */
    const char *name;           /* the label, with the score as a percentage; NULL: no label */
    double score;               /* 0 to 1 */
};

/* The colour of a category, 0xRRGGBBff: twelve chosen by hand, then hues at steps of the golden ratio. */
uint32_t box_colour(int category);

/* Draws count boxes into bgr[height][width][3].  Lines and letters grow with the image.  Each label lies in the
 * image, in or beside its box (report/labels.h), or farther away with a line to the box; labels are placed in the
 * order of scores.  A label is "car 87%", or "87%" if the image is too narrow, or left out if even that does not fit
 * with letters of 6 pixels.  A legend at the border has colour, name and number of boxes per class, as many classes
 * as fit into a third of the image.  Names are escaped as on a terminal (base/escape.h).  font NULL:
 * report/glyphs.h.  Fails only if memory is short; the image is then incomplete. */
bool draw_boxes(unsigned char *bgr, int width, int height, const struct drawn_box *, int count, const struct font *,
                struct error *);
#endif
