/* kernel/isa_avx2.c -- the bodies compiled for one instruction set; the table is the only symbol it exports. */
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include "kernel/vec_avx2.h"

#include "kernel/bodies.h"
#include "kernel/gemm_body.h"

const struct kernels kernels_avx2 = {
    .name = "avx2", .gemm_divides = true,
#include "kernel/table_rows.h"
};
#endif
