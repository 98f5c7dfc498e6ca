/* kernel/isa_ref.c -- the plain kernels; tests compare every other table with this one. */
#include "kernel/exp_ref.h"

#include "kernel/activate_ref.h"
#include "kernel/box_body.h"
#include "kernel/depthwise_ref.h"
#include "kernel/focal_body.h"
#include "kernel/focal_bound_body.h"
#include "kernel/gemm_ref.h"
#include "kernel/norm_ref.h"
#include "kernel/optimizer_body.h"
#include "kernel/pool_body.h"
#include "kernel/rows_body.h"
#include "kernel/softmax_body.h"
#include "kernel/tables.h"
#include "kernel/winograd_ref.h"

const struct kernels kernels_ref = {
    .name = "ref", .gemm_divides = true,
#include "kernel/table_rows.h"
};
