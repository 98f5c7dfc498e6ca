/* kernel/isa_avx512.c -- the bodies compiled for one instruction set; its tables are all that it exports.
 * What a matrix unit adds stands in tiles_amx.c. */
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include "kernel/vec_avx512.h"

#include "kernel/bodies.h"
#include "kernel/gemm_body.h"

const struct kernels kernels_avx512 = {
    .name = "avx512",
#include "kernel/table_rows.h"
};

const struct kernels kernels_amx = {
    .name = "amx", .tiles = &tiles_amx,
#include "kernel/table_rows.h"
};
#endif
