/* runtime/detect_set.h -- the detections of a model in the images of a set. */
#ifndef RUNTIME_DETECT_SET_H
#define RUNTIME_DETECT_SET_H
#include "eval/detections.h"
#include "runtime/detector.h"

/* Reads and detects image by image.  The category of a detection is its class.  Images that cannot be read have none.
 * on_image is called after each
 * image.  detections_free in any case. */
struct set_progress { void (*on_image)(void *context, int images, int all); void *context; };
bool detect_set(struct detections *, struct detector *, const struct dataset *, const char *folder,
                const struct set_progress *, struct error *);
#endif
