/* report/font.h -- text in the sans-serif font of the machine, by cairo.  Its libraries and settings may fail; then the
 * caller uses report/glyphs.h. */
#ifndef REPORT_FONT_H
#define REPORT_FONT_H

struct font;

/* Opens the font.  NULL, which the functions below take, if there is none, as in a build without cairo.  Call it once,
 * before the first image and before threads start, because it forks: a child process opens the font first.  One thread
 * at a time uses a font. */
struct font *font_open(void);
void font_close(struct font *);

/* The width of UTF-8 text whose lines are size pixels high; negative if the font cannot tell. */
double font_width(struct font *, double size, const char *text);

/* The coverage, 0 to 255, of each pixel by text that starts at x on the baseline y: [height][width] of the box, which
 * is set to x, y, width, height.  free() it.  NULL if the font cannot draw the text. */
unsigned char *font_mask(struct font *, double size, const char *text, double x, double y, int box[4]);
#endif
