/* base/text_file.h -- text that other programs wrote: one routine opens it, whatever its encoding and line ends. */
#ifndef BASE_TEXT_FILE_H
#define BASE_TEXT_FILE_H
#include "base/file.h"
#include "base/strbuf.h"
#include "base/string_list.h"

/* Reads a file and decodes it.  A 0 byte that size does not count follows the text.  bytes_free releases it. */
bool text_read(struct bytes *, const char *path, struct error *);
bool text_read_max(struct bytes *, const char *path, size_t max, struct error *);   /* refuses more than max bytes */
enum { IMAGE_TEXT_MAX = 1 << 26 };                      /* bytes of the annotations or detections of one image */

/* Decodes what file_read has read, in place or into new memory: a UTF-8 byte order mark is removed, UTF-16 with a byte
 * order mark becomes UTF-8, CR LF and a lone CR become LF.  All other bytes stay as they are, even if they are no
 * UTF-8.  name stands in the error. */
bool text_decode(struct bytes *, const char *name, struct error *);

/* The lines of a text file without blanks around them; empty lines are left out.  string_list_free releases them. */
bool text_lines(struct string_list *, const char *path, struct error *);

/* Removes blanks at both ends, in place. */
char *text_trim(char *);

bool text_is_utf8(const char *);
unsigned code_point_of_1252(unsigned char);
/* A copy as UTF-8 of text that is Windows-1252, of which Latin-1 is a part; free() it. */
char *text_from_1252(const char *, struct error *);

/* Appends size bytes as UTF-8: unchanged if all are UTF-8; else bytes that are not become %XX and '%' becomes %25.
 * s[size] must be readable and no continuation byte. */
void strbuf_add_utf8(struct strbuf *, const char *s, size_t size);
void percent_decode(char *);                            /* decodes %XX, in place */

enum { SPELLINGS = 3 };
/* How a file that an annotation or a list names may be called in its folder, in the order of trial: 0 as written, 1
 * with backslashes as separators, 2 with %XX decoded, too.  free() it. */
char *file_spelling(const char *name, int spelling, struct error *);
#endif
