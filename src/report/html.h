/* report/html.h -- a self-contained HTML page in a string builder: headings, text, tables and images, charts by
 * report/html_chart.h.  A page loads nothing and runs no script.  It follows the light or dark mode of the reader, can
 * be printed, and has row and column headers in tables, texts for images and charts.
 *
 * The page is also well-formed XML.  Every text argument, formatted or not, may come from a file: html_text escapes it.
 * After a failed allocation the calls do nothing; strbuf_check tells it at the end. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H
#include "base/strbuf.h"
#include "data/image.h"

/* Appends text as content of an element or of a quoted attribute: & < > " ' become entities, control characters and
 * bytes that are not UTF-8 are escaped as in base/escape.h. */
void html_text(struct strbuf *, const char *text);

/* The head of the page with its title as heading; the end of the page. */
void html_begin(struct strbuf *, const char *title);
void html_end(struct strbuf *);

void html_heading(struct strbuf *, const char *text);           /* of a section */
void html_paragraph(struct strbuf *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Large numbers with their names, in one row. */
struct html_figure { const char *name, *value; };
void html_figures(struct strbuf *, const struct html_figure *, int count);

/* Elements until html_columns_end stand side by side where the page is wide enough. */
void html_columns(struct strbuf *);
void html_gallery(struct strbuf *);                             /* narrower columns, for many small images */
void html_columns_end(struct strbuf *);

/* A table: html_table, then for each row html_row, a cell per further column and html_row_end, then html_table_end.
 * The first column is the header of its row.  Columns of text are aligned left, the others are numbers and aligned
 * right. */
struct html_column { const char *name; bool text; };
void html_table(struct strbuf *, const char *caption, const struct html_column *, int count);
void html_row(struct strbuf *, const char *name);
void html_cell(struct strbuf *, const char *format, ...) PRINTF_LIKE(2, 3);
void html_text_cell(struct strbuf *, const char *text);
void html_figure_cell(struct strbuf *, int decimals, double figure);    /* a dash if it is negative: undefined */
void html_shaded_cell(struct strbuf *, double shade, const char *format, ...) PRINTF_LIKE(3, 4);   /* shade 0 to 1 */
void html_row_end(struct strbuf *);
void html_table_end(struct strbuf *);

/* A box over an image, in its pixels; label NULL: none.  The kinds differ in colour and dashes. */
enum html_box_kind { BOX_PLAIN, BOX_RIGHT, BOX_WRONG, BOX_MISSED, BOX_IGNORED, BOX_KINDS };
struct html_box { double box[4]; enum html_box_kind kind; const char *label; };

/* A view of an image: a figure with its caption, and boxes drawn over the image.  alt describes it to those who do not
 * see it. */
struct html_view { const char *caption, *alt; const struct html_box *boxes; int count; };

/* Adds the views of one image, which is embedded once, as a JPEG whose longer side has at most `side` pixels. */
bool html_image(struct strbuf *, const struct image *, int side, const struct html_view *, int views, struct error *);
#endif
