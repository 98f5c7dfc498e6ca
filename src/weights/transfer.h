/* weights/transfer.h -- the output layers of a head whose file has other classes.
 *
 * The last convolutions of a head have a row per class and, in most heads, 4 (reg_max + 1) rows of distances behind
 * them.  If the file has another number of classes, the distances fit nevertheless, and so do classes of the same name.
 * The rest keeps its initial values. */
#ifndef WEIGHTS_TRANSFER_H
#define WEIGHTS_TRANSFER_H
#include "base/string_list.h"
#include "interop/network.h"
#include "interop/tensors.h"
#include "model/model.h"

/* Replaces the output layers of the head in t by layers of the model's shape: rows of the file where they fit, else
 * those of `array`.  A class takes the row of the same name, or of the name that schedule.transfer_classes gives.  The
 * names are those of the file's description; a file without one that has 80 classes has COCO's.  Adds a line to notes.
 * Exit 2 if transfer_classes names a class that the model or the file does not have. */
bool transfer_head(struct model *, struct tensors *t, const char *path, const real *array, struct string_list *notes,
                   struct error *);

/* match_weights_by_structure for a network with another number of classes than the model. */
bool match_other_classes(struct model *, struct network *, const char *path, struct tensors *, struct error *);
#endif
