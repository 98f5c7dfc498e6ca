/* report/boxes.h -- detections drawn into a picture. */
#ifndef REPORT_BOXES_H
#define REPORT_BOXES_H
#include "base/error.h"
#include <stdint.h>

struct drawn_box {
    double box[4];              /* x, y, width, height in pixels */
    int category;               /* >= 0: chooses the colour */
    const char *name;           /* the label, with the score as a percentage; NULL: no label */
    double score;               /* 0 to 1 */
};

/* The colour of a category, 0xRRGGBBff: twelve picked by hand, then hues a golden section apart. */
uint32_t box_colour(int category);

/* Draws count boxes into bgr[height][width][3].  Lines and letters grow with the picture.  Labels stay inside the
 * picture; the best scores get theirs first, and one that would be much wider than its box or cover another label is
 * left out, so that hundreds of small boxes stay readable.  Fails, the picture untouched, without cairo. */
bool draw_boxes(unsigned char *bgr, int width, int height, const struct drawn_box *, int count, struct error *);
#endif
