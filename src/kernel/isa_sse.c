/* kernel/isa_sse.c -- the bodies compiled for one instruction set; the table is the only symbol it exports. */
#ifndef REAL_IS_DOUBLE
#include "kernel/vec_sse.h"
#include "kernel/depthwise_body.h"
#include "kernel/activate_body.h"
#include "kernel/gemm.h"
#include "kernel/gemm_body.h"
#include "kernel/norm_body.h"
#include "kernel/pool_body.h"
#include "kernel/rows_body.h"
#include "kernel/tables.h"
#include "kernel/winograd_body.h"

const struct kernels kernels_sse = {
    .name = "sse", .gemm = gemm_blas, .gemm_near = gemm_near,
    .winograd = { winograd_input, winograd_filter, winograd_output, winograd_gradient, winograd_filter_gradient },
    .depthwise_row = depthwise_row, .depthwise_dx_row = depthwise_dx_row, .depthwise_dw_row = depthwise_dw_row,
    .store_rows = store_rows, .activate = activate, .activate_grad = activate_grad,
    .interleave = interleave, .every_second = every_second,
    .max_pool_row = max_pool_row, .max_pool_dx_row = max_pool_dx_row,
    .upsample_row = upsample_row, .upsample_dx_row = upsample_dx_row,
    .moments = moments, .norm_sums = norm_sums, .norm_dx = norm_dx,
};
#endif
