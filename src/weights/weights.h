/* weights/weights.h -- tensors of a file matched to the parameters of a model by name. */
#ifndef WEIGHTS_WEIGHTS_H
#define WEIGHTS_WEIGHTS_H
#include "base/string_list.h"
#include "graph/params.h"
#include "interop/tensors.h"

struct weights_report {
    int taken;
    struct string_list missing;               /* parameters of the model that the file lacks */
    struct string_list misfit;                /* "name: file's shape, model's shape": left as they were */
    int more_rows;                      /* so many more rows has each misfit in the file, and no other difference; 0:
                                           they differ otherwise */
    struct string_list unknown;    /* tensors that the model has no use for, but for counters and constants */
};
void weights_report_free(struct weights_report *);

/* Copies into `array`, laid out as params->value, every tensor whose name, after `prefix` is put before it unless it
 * is there, is a parameter's of the same shape.  The tensors' names have been normalised (interop/state_dict.h). */
bool weights_take(const struct params *, const struct tensors *, const char *prefix, real *array,
                  struct weights_report *, struct error *);

/* Every parameter of `array` as a float tensor called prefix + its name, in the model's order.  The blocks are t's. */
bool weights_give(const struct params *, const real *array, const char *prefix, struct tensors *t, struct error *);
#endif
