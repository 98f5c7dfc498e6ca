/* report/glyphs.h -- a font of strokes: printable ASCII and the letters of Latin-1, the same image in every build.
 * Other characters and invalid UTF-8 are drawn as a box.  Stems and bars are aligned to whole pixels at any size. */
#ifndef REPORT_GLYPHS_H
#define REPORT_GLYPHS_H

/* Receives a polyline of count >= 1 points (x, y) in pixels; one point is a dot. */
typedef void glyph_stroke(void *to, const double (*points)[2], int count);

/* The width of a round pen for letters of this size (the height of a line of text), in pixels. */
double glyphs_pen(double size);

/* Traces text from x on the baseline y; stroke may be NULL.  Returns the width of the text. */
double glyphs_trace(const char *text, double size, double x, double y, glyph_stroke *stroke, void *to);
#endif
