/* weights/load.h -- loads the weights of a file into a model by name. */
#ifndef WEIGHTS_LOAD_H
#define WEIGHTS_LOAD_H
#include "base/string_list.h"
#include "interop/tensors.h"
#include "model/model.h"

enum load_for {
    LOAD_TO_TRAIN,              /* missing or misfit parameters keep their values in `array` */
    LOAD_TO_RUN                 /* every parameter that inference needs is required: exit 1 names missing ones */
};

/* Loads the weights of any file that interop/weights_file.h reads into `array`, which is params->value or has its
 * layout.  Averaged weights are preferred.  If the file has a batch norm folded into its convolution, the convolution's
 * bias becomes the norm's, which is the identity otherwise.  Adds at most five lines to notes: the number of tensors
 * loaded; the names of those missing, misfit and unknown; the notes of weights/file_config.h.  Fails if nothing fits or
 * an element is not finite; array may be partly written then. */
bool model_load(struct model *, const char *path, enum load_for, real *array, struct string_list *notes,
                struct error *);

/* The same from tensors that were read from the file `path`; changes them. */
bool model_load_tensors(struct model *, struct tensors *, const char *path, enum load_for, real *array,
                struct string_list *notes, struct error *);

/* The same for the backbone alone, from the file that model.arch.backbone.pretrain names: a file of a backbone or of a
 * whole detector.  `true` means a download in the original; here it adds a warning to notes and loads nothing. */
bool model_pretrain(struct model *, real *array, struct string_list *notes, struct error *);

/* Sets the initial values of training: random ones, then those of a file.  The file is `weights` or, if that is NULL,
 * schedule.load_model or else, for the backbone alone, model.arch.backbone.pretrain. */
bool model_initialise(struct model *, const char *weights, struct string_list *notes, struct error *);
#endif
