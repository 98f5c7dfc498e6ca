/* report/canvas.h -- drawing over an image; without a font the same in every build.  Coordinates are pixels from the
 * upper left corner, pixel (0, 0) reaching from 0 to 1; colours are 0xRRGGBBAA, AA = ff being opaque.  Whatever lies
 * outside the image is cut off. */
#ifndef REPORT_CANVAS_H
#define REPORT_CANVAS_H
#include "base/error.h"
#include <stdint.h>

struct font;                                    /* report/font.h */

struct canvas {
    unsigned char *bgr; int width, height;      /* [height][width][3] */
    const struct font *font;                    /* of texts; NULL: report/glyphs.h */
    unsigned char *mask;                        /* [height][width] coverage by what is being drawn, 0 between calls */
    int x0, y0, x1, y1;                         /* where the mask may be other than 0 */
    bool incomplete;                            /* memory was short for a text of the font */
};

/* Drawing goes into bgr, which stays the caller's, as does the font. */
bool canvas_open(struct canvas *, unsigned char *bgr, int width, int height, const struct font *, struct error *);
void canvas_close(struct canvas *);

/* A box is x, y, width, height.  A frame is drawn in whole pixels, half its lines inside the box.  A line is count
 * points joined, with round ends and corners. */
void canvas_fill(struct canvas *, const double box[4], uint32_t colour);
void canvas_frame(struct canvas *, const double box[4], double line_width, uint32_t colour);
void canvas_line(struct canvas *, const double (*points)[2], int count, double line_width, uint32_t colour);

/* UTF-8 text from x on, standing on the line y; size is the height of a line of text. */
void canvas_text(struct canvas *, double x, double y, double size, uint32_t colour, const char *text);
double canvas_text_width(const struct canvas *, double size, const char *text);
#endif
