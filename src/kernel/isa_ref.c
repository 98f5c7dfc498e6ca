/* kernel/isa_ref.c -- the plain kernels, checked by eye; every other table is checked against this one. */
#include "kernel/depthwise_ref.h"
#include "kernel/activate_body.h"
#include "kernel/gemm.h"
#include "kernel/tables.h"

const struct kernels kernels_ref = {
    .name = "ref", .gemm = gemm_ref,
    .depthwise_row = depthwise_row, .depthwise_dx_row = depthwise_dx_row, .depthwise_dw_row = depthwise_dw_row,
    .store_rows = store_rows, .activate = activate, .activate_grad = activate_grad,
};
