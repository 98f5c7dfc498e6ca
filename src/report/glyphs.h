/* report/glyphs.h -- a font of strokes: printable ASCII and the letters of Latin-1, the same image in every build.
 * Other characters, and bytes that are not UTF-8, are a box.  Stems and bars lie on whole pixels at any size. */
#ifndef REPORT_GLYPHS_H
#define REPORT_GLYPHS_H

/* Receives a polyline of count >= 1 points (x, y) in pixels; one point is a dot. */
typedef void glyph_stroke(void *to, const double (*points)[2], int count);

/* The width of a pen with round ends that draws letters of this size (the height of a line of text) in pixels. */
double glyphs_pen(double size);

/* Traces text that starts at x and stands on the line y; stroke may be NULL.  Returns the width of the text. */
double glyphs_trace(const char *text, double size, double x, double y, glyph_stroke *stroke, void *to);
#endif
