/* report/canvas.h -- drawing over a picture; cairo hides behind it.  Coordinates are pixels from the upper left
 * corner, pixel (0, 0) reaching from 0 to 1; colours are 0xRRGGBBAA, AA = ff being opaque.  What lies outside the
 * picture is cut off.  In a build without cairo canvas_open fails and says so. */
#ifndef REPORT_CANVAS_H
#define REPORT_CANVAS_H
#include "base/error.h"
#include <stdint.h>

struct canvas;

/* A canvas that starts as the picture bgr[height][width][3], which stays the caller's and is read now. */
struct canvas *canvas_open(const unsigned char *bgr, int width, int height, struct error *);
void canvas_free(struct canvas *);

/* What was drawn: back into a picture of the same size, or as a PNG, whole or not at all. */
bool canvas_read(struct canvas *, unsigned char *bgr, struct error *);
bool canvas_write_png(struct canvas *, const char *path, struct error *);

/* A box is x, y, width, height.  A line is count points joined. */
void canvas_fill(struct canvas *, const double box[4], uint32_t colour);
void canvas_frame(struct canvas *, const double box[4], double line_width, uint32_t colour);
void canvas_line(struct canvas *, const double (*points)[2], int count, double line_width, uint32_t colour);

/* UTF-8 text from x on, standing on the line y; size is the height of a line of text.  Bytes that are no UTF-8 are
 * drawn as question marks. */
void canvas_text(struct canvas *, double x, double y, double size, uint32_t colour, const char *text);
double canvas_text_width(struct canvas *, double size, const char *text);
#endif
