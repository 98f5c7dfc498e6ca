/* base/text_file.h -- text files of other programs, in any common encoding and with any line ends. */
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
 * order mark becomes UTF-8, CR LF and a lone CR become LF.  All other bytes are unchanged, even if they are not UTF-8.
 * name is for the error message. */
bool text_decode(struct bytes *, const char *name, struct error *);

/* The lines of a text file, trimmed; empty lines are skipped.  string_list_free releases them. */
bool text_lines(struct string_list *, const char *path, struct error *);

/* Removes blanks at both ends, in place. */
char *text_trim(char *);

bool text_is_utf8(const char *);
unsigned code_point_of_1252(unsigned char);
/* A copy in UTF-8 of Windows-1252 text, which includes the printable characters of Latin-1; free() it. */
char *text_from_1252(const char *, struct error *);

/* Appends size bytes as UTF-8: unchanged if they are valid UTF-8; else invalid bytes become %XX and '%' becomes %25.
 * s[size] must be readable and not a continuation byte. */
void strbuf_add_utf8(struct strbuf *, const char *s, size_t size);
void percent_decode(char *);                            /* decodes %XX, in place */

enum { SPELLINGS = 3 };
/* Spellings of a file name from an annotation or a list, in the order in which readers try them: 0 as written, 1 with
 * backslashes as separators, 2 also with %XX decoded.  free() the result. */
char *file_spelling(const char *name, int spelling, struct error *);
#endif
