/* data/exif.c -- the one tag of Exif that changes pixels.  The block is a TIFF file (TIFF 6.0, section 2): byte order,
 * the number 42, the offset of a directory; that is a count and entries of 12 bytes: tag, type, count, value. */
#include "data/image_format.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, ENTRY = 12 };

static unsigned number(const unsigned char *p, int bytes, bool big)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

int exif_orientation(const unsigned char *p, size_t size)
{
    if (size < 8 || (memcmp(p, "II", 2) != 0 && memcmp(p, "MM", 2) != 0))
        return 1;
    const bool big = p[0] == 'M';
    const size_t directory = number(p + 4, 4, big);
    if (number(p + 2, 2, big) != 42 || directory > size - 2)
        return 1;
    const size_t first = directory + 2, entries = number(p + directory, 2, big);
    for (size_t i = 0; i < entries && (i + 1) * ENTRY <= size - first; i++) {
        const unsigned char *entry = p + first + i * ENTRY;
        const unsigned orientation = number(entry + 8, 2, big);
        if (number(entry, 2, big) == TAG_ORIENTATION)
            return orientation >= 1 && orientation <= 8 ? (int)orientation : 1;
    }
    return 1;
}
