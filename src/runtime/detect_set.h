/* runtime/detect_set.h -- the detections of a model in the images of a set. */
#ifndef RUNTIME_DETECT_SET_H
#define RUNTIME_DETECT_SET_H
#include "eval/detections.h"
#include "runtime/detector.h"

/* Adds the detections of image i of the detector's last batch, as those of `image`.  category[classes]: of each class;
 * NULL: the class itself.  Corners are float, as in the original; width and height are their differences in double. */
bool add_detections(struct detections *, const struct detector *, int i, int image, const int *category,
                    struct error *);

/* Reads and detects image by image.  The category of a detection is its class.  Images that cannot be read have none.
 * on_image is called after each image.  detections_free in any case. */
struct set_progress { void (*on_image)(void *context, int images, int all); void *context; };
bool detect_set(struct detections *, struct detector *, const struct dataset *, const char *folder,
                const struct set_progress *, struct error *);
#endif
