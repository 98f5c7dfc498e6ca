/* train/teacher.h -- a trained network, which the training does not change: model.teacher. */
#ifndef TRAIN_TEACHER_H
#define TRAIN_TEACHER_H
#include "base/string_list.h"
#include "model/model.h"
#include <stdint.h>

struct teacher {
    struct config config;
    struct model model, merged;     /* merged runs instead of a model with parallel branches (weights/merge.h) */
    int *class_of;                  /* [classes of the student] the teacher's class of that name, or -1 */
    bool *has_class;                /* [the same] class_of >= 0 */
    uint64_t digest;                /* of the description and the weights; never 0 */
};

/* Opens model.teacher of the student's configuration: config, or else the description in the weights.  Adds the notes
 * of model_load.  Exit 2, with file, line and key, if the student cannot learn from it: its strides, reg_max, priors or
 * normalisation of the input differ from the student's, or it lacks classes that model.guide or model.distill needs.
 * teacher_free in any case; {0} is empty. */
bool teacher_open(struct teacher *, const struct model *student, struct string_list *notes, struct error *);
void teacher_free(struct teacher *);

/* The network that predicts; its parameters are the weights. */
struct model *teacher_model(struct teacher *);
#endif
