/* kernel/bodies.h -- every body except gemm_unpacked, for the instruction set whose vec_*.h was included before. */
#include "kernel/exp_body.h"

#include "kernel/activate_body.h"
#include "kernel/box_body.h"
#include "kernel/depthwise_body.h"
#include "kernel/focal_body.h"
#include "kernel/focal_bound_body.h"
#include "kernel/norm_body.h"
#include "kernel/optimizer_body.h"
#include "kernel/pool_body.h"
#include "kernel/rows_body.h"
#include "kernel/softmax_body.h"
#include "kernel/winograd_body.h"

#include "kernel/tables.h"
