/* kernel/table_rows.h -- the part of a table of kernels that all instruction sets have alike; included between its
 * braces, so that a new kernel is named once. */
    .gemm_near = gemm_near,
    .winograd = { winograd_input, winograd_filter, winograd_output, winograd_gradient, winograd_filter_gradient },
    .strips = { strip_input, strip_filter, strip_output, strip_gradient, strip_filter_gradient },
    .depthwise_row = depthwise_row, .depthwise_dx_row = depthwise_dx_row, .depthwise_dw_row = depthwise_dw_row,
    .store_rows = store_rows, .activate = activate, .activate_grad = activate_grad,
    .interleave = interleave, .every_second = every_second,
    .max_pool_row = max_pool_row, .max_pool_dx_row = max_pool_dx_row,
    .upsample_row = upsample_row, .upsample_dx_row = upsample_dx_row,
    .moments = moments, .norm_sums = norm_sums, .norm_dx = norm_dx, .finite = finite_numbers, .largest = largest,
    .softmax = softmax, .softmax_double = softmax_double, .focal = focal,
    .overlaps = overlaps, .list_overlaps = list_overlaps, .costs = costs, .list_costs = list_costs,
    .squares = squares, .adam = adam, .sgd = sgd, .approach = approach,
