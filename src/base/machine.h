/* base/machine.h -- resources of the machine that this process may use. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H
#include <stdint.h>

/* Bytes of physical memory, or the limit of the process's control group if that is smaller. */
uint64_t machine_memory(void);
#endif
