/* report/font.h -- letters of any script by cairo and the fonts of the machine, whose libraries and settings may fail.
 * report/glyphs.h has letters for that case. */
#ifndef REPORT_FONT_H
#define REPORT_FONT_H

struct font;

/* Looks for a font of letters without serifs.  NULL, which the functions below take, if there is none, as in a build
 * without cairo.  Call it once, before the first image and before threads are started: it lets a child process look
 * first.  A font is used by one thread at a time. */
struct font *font_open(void);
void font_close(struct font *);

/* The width of UTF-8 text whose lines are size pixels high; negative if the font cannot tell. */
double font_width(struct font *, double size, const char *text);

/* How much text from x on that stands on the line y covers of each pixel in a box of x, y, width, height pixels:
 * [height][width], 255 being all; free() it.  Sets the box.  NULL if the font cannot draw it. */
unsigned char *font_mask(struct font *, double size, const char *text, double x, double y, int box[4]);
#endif
