/* kernel/isa_avx512.c -- the bodies compiled for one instruction set; it exports only its tables.  The matrix unit is
 * in amx.c. */
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include "kernel/vec_avx512.h"

#include "kernel/bodies.h"
#include "kernel/gemm_body.h"

const struct kernels kernels_avx512 = {
    .name = "avx512", .gemm_divides = true,
#include "kernel/table_rows.h"
};

const struct kernels kernels_amx = {
    .name = "amx", .gemm_divides = true, .amx = &amx_native,
#include "kernel/table_rows.h"
};
#endif
