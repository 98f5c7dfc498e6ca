/* report/canvas.h -- draws over an image; without a font, the same pixels in every build.  Coordinates are pixels from
 * the upper left corner; pixel (0, 0) extends from 0 to 1.  Colours are 0xRRGGBBAA; AA = ff is opaque.  Drawing is
 * clipped to the image. */
#ifndef REPORT_CANVAS_H
#define REPORT_CANVAS_H
#include "base/error.h"
#include <stdint.h>

struct font;                                    /* report/font.h */

struct canvas {
    unsigned char *bgr; int width, height;      /* [height][width][3] */
    const struct font *font;                    /* NULL: report/glyphs.h */
    unsigned char *mask;                        /* [height][width] coverage by the current stroke; 0 between calls */
    int x0, y0, x1, y1;                         /* bounds of the non-zero part of the mask */
    bool incomplete;                            /* memory was short for a text of the font */
};

/* bgr and font are borrowed. */
bool canvas_open(struct canvas *, unsigned char *bgr, int width, int height, const struct font *, struct error *);
void canvas_close(struct canvas *);

/* A box is x, y, width, height.  A frame is drawn in whole pixels, half its lines inside the box.  A line is count
 * points joined, with round ends and corners. */
void canvas_fill(struct canvas *, const double box[4], uint32_t colour);
void canvas_frame(struct canvas *, const double box[4], double line_width, uint32_t colour);
void canvas_line(struct canvas *, const double (*points)[2], int count, double line_width, uint32_t colour);

/* UTF-8 text from x on the baseline y; size is the height of a line of text. */
void canvas_text(struct canvas *, double x, double y, double size, uint32_t colour, const char *text);
double canvas_text_width(const struct canvas *, double size, const char *text);
#endif
