#ifndef PARITY_ROOMS_H
#define PARITY_ROOMS_H
#include "parity.h"
void parity_assign(struct parity *, const char *path);
#endif
