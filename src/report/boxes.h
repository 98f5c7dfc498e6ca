/* report/boxes.h -- detections drawn into an image. */
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

/* The colour of a category, 0xRRGGBBff: twelve picked by hand, then hues a golden section apart. */
uint32_t box_colour(int category);

/* Draws count boxes into bgr[height][width][3].  Lines and letters grow with the image.  Each label lies in the image,
 * beside or in its box (report/labels.h), where necessary some way off with a line to the box; the best scores get
 * their places first.  It is "car 87%", "87%" in an image that is too narrow, and left out only where not even that has
 * room with letters of 6 pixels.  A legend at the border has the colour, the name and the number of boxes of each class
 * that occurs, as many as a third of the image holds.  Names are shown as on a terminal (base/printable.h), in the font
 * or, where it is NULL, in report/glyphs.h.  Fails only if memory is short; the image is then not to be used. */
bool draw_boxes(unsigned char *bgr, int width, int height, const struct drawn_box *, int count, const struct font *,
                struct error *);
#endif
