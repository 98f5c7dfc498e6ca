/* deploy/layer_rows.h -- how the ops of a graph and the layer kinds of a network correspond; a file defines LAYER,
 * EXPORTED and IMPORTED and includes this header, which undefines them.
 *
 *     LAYER(op, kind, export, import)     op_op and LAYER_kind stand for each other
 *     EXPORTED(op, kind, export)          a further op that becomes this kind
 *     IMPORTED(kind, import)              a kind that the export never makes
 *
 * LAYER_KINDS stands for no layer: the node's value is that of an operand.  export: a function of export_network.c that
 * converts one level of a node.  import: a function of import_network.c that adds nodes for a layer; NULL: one node of
 * the op with the layer's operands. */
LAYER(conv,            CONV,        conv_layer,          build_conv)
LAYER(norm,            AFFINE,      norm_layers,         build_affine)
EXPORTED(scale,        AFFINE,      scale_layer)
LAYER(act,             ACTIVATION,  act_layer,           build_activation)
LAYER(add,             ADD,         same_kind,           build_add)
EXPORTED(position,     ADD,         position_layer)
LAYER(mul,             MUL,         mul_layer,           NULL)
LAYER(concat,          CONCAT,      concat_layer,        NULL)
LAYER(channels,        CHANNELS,    channels_layer,      build_channels)
LAYER(shuffle,         SHUFFLE,     shuffle_layers,      build_shuffle)
LAYER(max_pool,        MAX_POOL,    pool_layer,          build_pool)
LAYER(avg_pool,        AVG_POOL,    pool_layer,          build_pool)
LAYER(global_pool,     GLOBAL_POOL, same_kind,           NULL)
LAYER(upsample2x,      BILINEAR,    same_kind,           NULL)
EXPORTED(resize,       BILINEAR,    resize_layer)
LAYER(nearest2x,       NEAREST,     same_kind,           NULL)
LAYER(layer_norm,      NORM,        layer_or_group_norm, build_norm)
LAYER(group_norm,      GROUP_NORM,  layer_or_group_norm, build_norm)
LAYER(attention,       ATTENTION,   attention_layers,    build_attention)
EXPORTED(stack,        KINDS,       stack_level)
EXPORTED(detach,       KINDS,       same_layer)
EXPORTED(materialise,  KINDS,       same_layer)
IMPORTED(CONSTANT,     build_constant)
IMPORTED(SIGMOID_OF,   build_sigmoid_of)
#undef LAYER
#undef EXPORTED
#undef IMPORTED
