#ifndef TESTS_PARITY_ROOMS_H
#define TESTS_PARITY_ROOMS_H
#include "parity.h"
void parity_assign(struct parity *, const char *path);
void parity_augment(struct parity *, const char *path);
void parity_preprocess(struct parity *, const char *path);
void parity_coco_eval(struct parity *, const char *path);
void parity_visdrone_eval(struct parity *, const char *path);
void parity_detect(struct parity *, const char *path);
void parity_loss(struct parity *, const char *path);
void parity_models(struct parity *, const char *path);
void parity_nms(struct parity *, const char *path);
void parity_schedule(struct parity *, const char *path);
void parity_sizes(struct parity *, const char *path);
void parity_schedules(struct parity *, const char *path);
#endif
