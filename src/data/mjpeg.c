#include "data/mjpeg.h"

#include "base/file.h"
#include "base/strbuf.h"
#include <errno.h>

/* Markers */
enum { TEM = 0x01, RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8, EOI = 0xd9, SOS = 0xda };

void mjpeg_free(struct mjpeg *m)
{
    strbuf_free(&m->frame);
    *m = (struct mjpeg){0};
}

static enum mjpeg_at give_up(struct mjpeg *m)
{
    m->broken++;
    m->frame.size = 0;
    return AT_NOTHING;
}

static enum mjpeg_at start(struct mjpeg *m)
{
    m->frame.size = 0;
    strbuf_add(&m->frame, "\xff\xd8", 2);
    return AT_SEGMENT;
}

/* After ff, within an image. */
static enum mjpeg_at take_code(struct mjpeg *m, unsigned char byte)
{
    m->code = byte;
    if (byte == 0xff)
        return m->at;                           /* ff may be repeated */
    if (byte == SOI) {
        m->broken++;
        return start(m);
    }
    if (byte == EOI)
        return AT_NOTHING;
    if (m->at == AT_SCAN_FF && (byte == 0 || (byte >= RST0 && byte <= RST7)))
        return AT_SCAN;
    if (byte == 0)
        return give_up(m);
    return byte == TEM || (byte >= RST0 && byte <= RST7) ? AT_SEGMENT : AT_LENGTH_HIGH;
}

static enum mjpeg_at after_content(const struct mjpeg *m) { return m->code == SOS ? AT_SCAN : AT_SEGMENT; }

static enum mjpeg_at step(struct mjpeg *m, unsigned char byte)
{
    switch (m->at) {
    case AT_NOTHING:
        return byte == 0xff ? AT_FIRST_FF : AT_NOTHING;
    case AT_FIRST_FF:
        return byte == SOI ? start(m) : byte == 0xff ? AT_FIRST_FF : AT_NOTHING;
    case AT_SEGMENT:
        return byte == 0xff ? AT_CODE : give_up(m);
    case AT_CODE:
    case AT_SCAN_FF:
        return take_code(m, byte);
    case AT_LENGTH_HIGH:
        m->left = byte << 8;
        return AT_LENGTH_LOW;
    case AT_LENGTH_LOW:
        m->left += byte - 2;                    /* the length counts itself */
        return m->left < 0 ? give_up(m) : m->left == 0 ? after_content(m) : AT_CONTENT;
    case AT_CONTENT:
        return --m->left == 0 ? after_content(m) : AT_CONTENT;
    case AT_SCAN:
        return byte == 0xff ? AT_SCAN_FF : AT_SCAN;
    }
    return AT_NOTHING;
}

bool mjpeg_push(struct mjpeg *m, unsigned char byte)
{
    const bool within = m->at > AT_FIRST_FF;
    if (!within)
        m->frame.size = 0;
    else if (m->frame.size >= MJPEG_MAX) {
        m->at = give_up(m);
        return false;
    } else
        strbuf_add(&m->frame, &byte, 1);
    m->at = step(m, byte);
    return within && m->at == AT_NOTHING && m->frame.size > 0;
}

bool mjpeg_next(struct mjpeg *m, FILE *in, struct bytes *frame, struct error *err)
{
    *frame = (struct bytes){0};
    for (int byte; (byte = getc(in)) != EOF;) {
        const bool complete = mjpeg_push(m, (unsigned char)byte);
        if (!strbuf_check(&m->frame, err))
            return false;
        if (complete) {
            *frame = (struct bytes){ (unsigned char *)m->frame.s, m->frame.size };
            return true;
        }
    }
    if (ferror(in))
        return fail(err, "the stream cannot be read: %s", errno_text(errno));
    m->broken += m->at > AT_FIRST_FF;
    m->at = AT_NOTHING;
    return true;
}
