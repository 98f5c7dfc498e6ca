/* report/font.h -- text in the sans-serif font of the machine, with outlines from cairo.  If its libraries or settings
 * fail, the caller uses report/glyphs.h. */
#ifndef REPORT_FONT_H
#define REPORT_FONT_H

struct font;

/* Reads the outlines of ASCII and of all characters of count UTF-8 texts.  Returns NULL, which the functions below
 * accept, if no font is usable, as in a build without cairo.  Call it before threads start, because it forks: only
 * child processes call cairo.  Any number of threads may use the font. */
struct font *font_open(const char *const *texts, int count);
void font_close(struct font *);

/* The width of UTF-8 text whose lines are size pixels high; negative if the font lacks a character. */
double font_width(const struct font *, double size, const char *text);

/* The coverage, 0 to 255, of each pixel by text that starts at x on the baseline y: [height][width] of the box, which
 * is set to x, y, width, height.  free() it.  NULL if the font cannot draw the text (the width is 0) or if memory is
 * short. */
unsigned char *font_mask(const struct font *, double size, const char *text, double x, double y, int box[4]);
#endif
