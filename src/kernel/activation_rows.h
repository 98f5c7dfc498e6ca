/* kernel/activation_rows.h -- the activations, one row each; a file defines ACTIVATION, and WORD if it uses the words,
 * and includes this header, which undefines both.
 *
 *     ACTIVATION(id, name, words, value, derivative)
 *
 * id: ACT_id.  name: in the JSON of a model.  words: WORD(id, "Word") per name in configurations; may be empty.
 * value: act(z).  derivative: act'(z); at kinks it follows PyTorch: the slope of the flat side, or of the side with
 * smaller z.  Both use z, the slope of the layer (0 except for LEAKY_RELU, which has 0 <= slope <= 1) and the functions
 * of kernel/activations.h.  interop/activations.c says how files spell each activation. */
ACTIVATION(NONE, "none", WORD(NONE, "none"), z, 1)
ACTIVATION(LEAKY_RELU, "leaky_relu", WORD(LEAKY_RELU, "LeakyReLU"), z < 0 ? slope * z : z, z > 0 ? 1 : slope)
ACTIVATION(RELU, "relu", WORD(RELU, "ReLU"), z < 0 ? 0 : z, z > 0 ? 1 : 0)
ACTIVATION(RELU6, "relu6", WORD(RELU6, "ReLU6"), clamp6(z), z > 0 && z < 6 ? 1 : 0)
ACTIVATION(HARD_SWISH, "hard_swish", WORD(HARD_SWISH, "HardSwish") WORD(HARD_SWISH, "Hardswish"),
           z * clamp6(z + 3) / 6, z <= -3 ? 0 : z < 3 ? z / 3 + (real)0.5 : 1)
ACTIVATION(SILU, "silu", WORD(SILU, "SiLU"), z * sigmoid(z), silu_derivative(z, sigmoid(z)))
ACTIVATION(GELU, "gelu", WORD(GELU, "GELU"), z * normal_cdf(z),
           normal_cdf(z) + z * (real)0.39894228040143268 * exp_below(-z * z / 2))
ACTIVATION(HARD_SIGMOID, "hard_sigmoid", , clamp6(z + 3) / 6, z > -3 && z < 3 ? (real)1 / 6 : 0)
ACTIVATION(SIGMOID, "sigmoid", , sigmoid(z), sigmoid_derivative(sigmoid(z)))
ACTIVATION(MISH, "mish", WORD(MISH, "Mish"), z * mish_gate(z), mish_derivative(z))
#undef ACTIVATION
#undef WORD
