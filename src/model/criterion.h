/* model/criterion.h -- the losses and assigner that a configuration asks for, and the priors of its head. */
#ifndef MODEL_CRITERION_H
#define MODEL_CRITERION_H
#include "detect/loss.h"
#include "detect/postprocess.h"
#include "model/model.h"

/* Reads model.arch.head.loss and, if the assigner has keys, .assigner_cfg.  Exit 2 names the key. */
bool criterion_read(const struct model *, struct loss_config *, struct error *);

/* Appends the manual of these keys (config/key.h). */
void write_criterion_manual(struct strbuf *);

/* The priors of the head for a batch of n inputs of h x w. */
bool criterion_grid(const struct model *, int n, int h, int w, struct prior_grid *, struct error *);
#endif
