/* kernel/tables.h -- the tables of kernels that pick.c chooses from. */
#ifndef KERNEL_TABLES_H
#define KERNEL_TABLES_H
#include "kernel/kernels.h"

extern const struct kernels kernels_ref, kernels_blas, kernels_sse, kernels_avx2, kernels_avx512, kernels_amx,
                            kernels_neon;

/* Loads OpenBLAS and limits it to one thread per call, in the whole process.  False: it is absent, or serial. */
bool kernels_blas_start(void);
extern const struct amx_kernels amx_ref, amx_native;
#endif
