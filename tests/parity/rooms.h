#ifndef PARITY_ROOMS_H
#define PARITY_ROOMS_H
#include "parity.h"
#endif
