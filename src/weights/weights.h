/* weights/weights.h -- copies tensors of a file to the parameters of a model by name, and back. */
#ifndef WEIGHTS_WEIGHTS_H
#define WEIGHTS_WEIGHTS_H
#include "base/string_list.h"
#include "graph/params.h"
#include "interop/tensors.h"

struct weights_report {
    int loaded;
    struct string_list missing;         /* parameters of the model that the file lacks */
    struct string_list misfit;          /* "name: file's shape, model's shape"; not copied */
    int extra_rows;                     /* number of rows that every misfit has more in the file, if that is the only
                                           difference; else 0 */
    struct string_list unknown;         /* tensors that the model lacks, except counters and constants */
};
void weights_report_free(struct weights_report *);

/* Copies every tensor to the parameter of the same name and shape in `array`, which has the layout of params->value.
 * `prefix` is prepended to names that do not start with it.  The names must be normalised (interop/state_dict.h). */
bool weights_from_tensors(const struct params *, const struct tensors *, const char *prefix, real *array,
                  struct weights_report *, struct error *);

/* Adds every parameter of `array` as a float tensor called prefix + its name, in the model's order.  t owns the
 * elements. */
bool weights_to_tensors(const struct params *, const real *array, const char *prefix, struct tensors *t,
                        struct error *);

/* Adds the metadata "score_threshold", above which detections have the best mean F1, unless it is negative. */
bool weights_add_threshold(double threshold, struct tensors *, struct error *);
#endif
