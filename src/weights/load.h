/* weights/load.h -- the weights of a file put into a model by name. */
#ifndef WEIGHTS_LOAD_H
#define WEIGHTS_LOAD_H
#include "base/string_list.h"
#include "interop/tensors.h"
#include "model/model.h"

enum load_for {
    LOAD_TO_TRAIN,              /* what is missing or does not fit keeps the values that `array` has */
    LOAD_TO_RUN                 /* whatever the network needs to detect must be there: exit 1 names what is not */
};

/* Puts the weights of any file that interop/weights_file.h reads into `array`, laid out as params->value (or that
 * itself).  Averaged weights are preferred; where a file has a batch norm folded into its convolution, the
 * convolution's bias becomes the norm's, which else does nothing.  Adds to notes at most five lines: how many tensors
 * were taken, which are missing, did not fit or are of no use, by name, and what weights/file_config.h notes.  Fails if
 * nothing fits or a number is not finite; array may then be partly written. */
bool model_load(struct model *, const char *path, enum load_for, real *array, struct string_list *notes,
                struct error *);

/* The same from the tensors of the file, which have been read; they are changed. */
bool model_take(struct model *, struct tensors *, const char *path, enum load_for, real *array,
                struct string_list *notes, struct error *);

/* The same for the backbone alone, from the file that model.arch.backbone.pretrain names; a file of a whole detector
 * gives its backbone.  `true` asks for a download that is not made: a note says so. */
bool model_pretrain(struct model *, real *array, struct string_list *notes, struct error *);

/* Sets the values that training starts from: random ones, then those of a file.  This is `weights` or, if that is NULL,
 * schedule.load_model or else, for the backbone alone, model.arch.backbone.pretrain. */
bool model_initialise(struct model *, const char *weights, struct string_list *notes, struct error *);
#endif
