/* train/processes.h -- what the processes of one training agree on and hand to each other.  With ranks NULL, a process
 * alone, all of it is true or done already. */
#ifndef TRAIN_PROCESSES_H
#define TRAIN_PROCESSES_H
#include "eval/detections.h"
#include "ranks/ranks.h"
#include "train/checkpoint.h"

/* Are all processes well?  If not, one message remains: that of the lowest rank that failed, which begins with its
 * rank.  In the others err has a status, but no text. */
bool processes_agree(const struct ranks *, bool ok, struct error *err);

/* The data of a run that must be equal in all processes. */
struct run_identity { const char *isa, *config; const struct run_state *state; };
bool processes_match(const struct ranks *, const struct run_identity *, struct error *err);

/* Hands the state of the run, and the values in the layout of params->value, from rank 0 to the others. */
void processes_share_state(const struct ranks *, struct optimizer *, struct run_state *);

/* Moves the detections of all processes to rank 0, in the order of the ranks. */
bool processes_gather(const struct ranks *, struct detections *, struct error *err);
#endif
