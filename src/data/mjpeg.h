/* data/mjpeg.h -- a stream of JPEG images, one after the other, as cameras and ffmpeg write it: each is found by
 * its markers (ITU T.81, annex B), so that a thumbnail inside of one does not end it.  Bytes between images,
 * such as the headers of a multipart stream, are passed over, and so is an image that breaks off where another
 * begins, is not a JPEG after its first bytes, or has more than MJPEG_MAX bytes. */
#ifndef DATA_MJPEG_H
#define DATA_MJPEG_H
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include <stdio.h>

enum { MJPEG_MAX = 1 << 26 };

enum mjpeg_at { AT_NOTHING, AT_FIRST_FF, AT_SEGMENT, AT_CODE, AT_LENGTH_HIGH, AT_LENGTH_LOW, AT_CONTENT, AT_SCAN,
                AT_SCAN_FF };

struct mjpeg {                      /* {0} at the start of a stream */
    enum mjpeg_at at;
    unsigned char code;             /* of the segment */
    int left;                       /* bytes of its content to come */
    struct strbuf frame;            /* the image so far; complete once mjpeg_push says so */
    long broken;                    /* images passed over */
};
void mjpeg_free(struct mjpeg *);

/* One more byte of the stream; true: it completes an image, which is there until the next byte. */
bool mjpeg_push(struct mjpeg *, unsigned char byte);

/* Reads up to the end of the next image, lent until the next call; frame->p NULL at the end of the stream. */
bool mjpeg_next(struct mjpeg *, FILE *, struct bytes *frame, struct error *);
#endif
