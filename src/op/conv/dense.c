/* op/conv/dense.c -- any convolution as products of matrices.
 *
 * In forward, the taps of a window's row are contiguous in the input, and the next pixel's taps start `stride` pixels
 * further on.  Each row of the window is therefore a matrix with overlapping rows, and nothing is copied per tap.
 * For gradients, patches are copied to rows (im2col), one per pixel, of kernel h * w * channels per group elements.
 * A 1x1 convolution reads its operands in place. */
#include "base/min_max.h"
#include "op/conv/reader.h"
#include "op/conv/writer.h"
#include <string.h>

/* Elements of patches per block.  SMALL_BLOCK is used with a folded norm, that is for detection, where small blocks
 * divide small maps among the threads. */
enum { BLOCK = 1 << 15, SMALL_BLOCK = 1 << 13 };

static bool fits(const struct node *n) { (void)n; return true; }

static bool pointwise(const struct node *n)
{
    return n->x[WEIGHT].h == 1 && n->x[WEIGHT].w == 1 && conv_attr(n)->stride == 1 && conv_attr(n)->pad == 0;
}

static int patch(const struct node *n)      { return n->x[WEIGHT].h * n->x[WEIGHT].w * n->x[WEIGHT].c; }
static int group_outputs(const struct node *n) { return n->x[WEIGHT].n / conv_attr(n)->groups; }
/* dx is computed from patches of dy. */
static int dy_patch(const struct node *n)   { return n->x[WEIGHT].h * n->x[WEIGHT].w * group_outputs(n); }

static int rows_per_block(const struct node *n, const struct shape *s, int elements_per_pixel)
{
    return block_rows(conv_attr(n)->norm ? SMALL_BLOCK : BLOCK, (ptrdiff_t)max_level_width(s) * elements_per_pixel);
}

static int out_rows(const struct node *n) { return rows_per_block(n, &n->y[0], patch(n)); }
static int in_rows(const struct node *n)  { return rows_per_block(n, &n->x[INPUT], dy_patch(n)); }

static struct block block_of(const struct node *n, int index)
{
    return block_at(&n->y[0], n->parts, out_rows(n), index);
}

static int blocks(const struct node *n, int end) { return block_count(&n->y[0], n->parts, end, out_rows(n)); }
static struct range block(const struct node *n, int index) { return pixels_of(block_of(n, index)); }

static bool reads_dy_once(const struct node *n, bool dx) { return pointwise(n) || !dx; }

static size_t packed(const struct node *n, enum pass pass)
{
    return (void)pass, (size_t)weight_elements(n) * sizeof(real);
}

/* Bytes of the rows of dy that a job reads. */
static size_t dy_bytes(const struct node *n)
{
    const size_t reached = gradient_rows_bytes(n, in_rows(n));
    const size_t block = (size_t)out_rows(n) * (size_t)max_level_width(&n->y[0]) * (size_t)n->y[0].c * sizeof(real);
    return reached > block ? reached : block;
}

static size_t patch_bytes(const struct shape *s, int rows, int elements)
{
    return (size_t)rows * (size_t)max_level_width(s) * (size_t)elements * sizeof(real);
}

/* Forward: elements of an input row with zero padding, and number of input rows that a block reads. */
static ptrdiff_t line_elements(const struct node *n)
{
    return (ptrdiff_t)(max_level_width(&n->x[INPUT]) + 2 * conv_attr(n)->pad) * n->x[WEIGHT].c;
}

static int line_count(const struct node *n, int rows) { return (rows - 1) * conv_attr(n)->stride + n->x[WEIGHT].h; }

static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t in = input_rows_bytes(n, out_rows(n));
    if (pass == FORWARD)
        return in + (size_t)line_count(n, out_rows(n)) * (size_t)line_elements(n) * sizeof(real);
    const size_t x = in + patch_bytes(&n->y[0], out_rows(n), patch(n));
    const size_t dy = patch_bytes(&n->x[INPUT], in_rows(n), dy_patch(n));
    return dy_bytes(n) + (x > dy ? x : dy);
}

/* Copies the taps of one row of a window, starting at `column` of a row of w pixels; 0 outside.  Taps without gaps are
 * one copy: with three channels a copy per tap would cost more than the product. */
static void copy_taps(int taps, int c, const real *row, int ld, int column, int w, real *to)
{
    const real *from = row + (ptrdiff_t)column * ld;
    if (ld == c && column >= 0 && column + taps <= w) {
        memcpy(to, from, (size_t)(taps * c) * sizeof *to);
        return;
    }
    for (int v = 0; v < taps; v++, from += ld, to += c)
        if (column + v >= 0 && column + v < w)
            memcpy(to, from, (size_t)c * sizeof *to);
        else
            memset(to, 0, (size_t)c * sizeof *to);
}

/* The patches of a group that a block of outputs reads, *ld elements apart. */
static const real *patches(const struct node *n, struct block out, struct block x, struct row_values in, int group,
                           real *scratch_patches, int *ld)
{
    const struct shape w = n->x[WEIGHT];
    const int stride = conv_attr(n)->stride, pad = conv_attr(n)->pad;
    *ld = in.ld;
    if (pointwise(n))
        return in.p + group * w.c;
    real *to = scratch_patches;
    for (int i = out.row; i < out.row + out.rows; i++)
        for (int j = 0; j < out.w; j++)
            for (int u = 0; u < w.h; u++, to += w.w * w.c) {
                const int row = i * stride - pad + u;
                const real *from = in.p + (ptrdiff_t)(row - in.first) * x.w * in.ld + group * w.c;
                if (row >= 0 && row < x.h)
                    copy_taps(w.w, w.c, from, in.ld, j * stride - pad, x.w, to);
                else
                    memset(to, 0, (size_t)(w.w * w.c) * sizeof *to);
            }
    *ld = patch(n);
    return scratch_patches;
}

static real *past(real *p, size_t bytes) { return p + bytes / sizeof(real); }

/* Zero-padded rows of one group's channels; elements from one row and from one pixel to the next. */
struct lines { const real *p; ptrdiff_t row; int pixel; };

static struct lines lines(const struct call *k, struct block out, struct row_values in, int group, real *to)
{
    const struct node *n = k->node;
    const struct block x = level_block(&n->x[INPUT], out.level);
    const int c = n->x[WEIGHT].c, pad = conv_attr(n)->pad, start = out.row * conv_attr(n)->stride - pad;
    const int end = start + line_count(n, out.rows);
    const ptrdiff_t row = line_elements(n);
    if (pointwise(n))
        return (struct lines){ in.p + group * c, 0, in.ld };
    memset(to, 0, (size_t)((end - start) * row) * sizeof *to);
    for (int r = max_int(0, start); r < min_int(x.h, end); r++) {
        const real *from = in.p + (ptrdiff_t)(r - in.first) * x.w * in.ld + group * c;
        const int together = in.ld == c ? x.w : 1;              /* pixels */
        k->kernels->copy_rows(x.w / together, together * c, from, in.ld, false, to + (r - start) * row + pad * c, c);
    }
    return (struct lines){ to, row, c };
}

static void forward_block(const struct call *k, int index)
{
    const struct node *n = k->node;
    const struct shape w = n->x[WEIGHT];
    const struct block out = block_of(n, index);
    const struct view y = k->y[0];
    real *own = call_scratch(k), *lines_of_block = past(own, input_rows_bytes(n, out_rows(n)));
    const struct row_values in = input_rows(k, out, own);
    const int rows = pointwise(n) ? 1 : out.rows, width = out.rows * out.w / rows, outputs = group_outputs(n);
    const int groups = conv_attr(n)->groups, elements = w.w * w.c;
    const real *weights_of_row = k->packed;
    for (int i = 0; has_bias(n) && i < out.rows * out.w; i++)
        memcpy(y.p + (out.first + i) * y.ld, k->x[BIAS].p, (size_t)y.c * sizeof *y.p);
    for (int g = 0; g < groups; g++, weights_of_row += (ptrdiff_t)w.h * elements * outputs) {
        const struct lines x = lines(k, out, in, g, lines_of_block);
        for (int i = 0; i < rows; i++) {
            const ptrdiff_t first = out.first + (ptrdiff_t)i * width;
            real *to = y.p + first * y.ld;
            for (int u = 0; u < w.h; u++)
                k->kernels->gemm_unpacked(false, width, outputs, elements, x.p + (i * conv_attr(n)->stride + u) * x.row,
                                          conv_attr(n)->stride * x.pixel,
                                          weights_of_row + (ptrdiff_t)u * elements * outputs, outputs,
                                          u > 0 || has_bias(n), to + g * outputs, y.ld);
            if (g == groups - 1)
                write_pixels(k, FORWARD, first, width, to, y.ld);
        }
    }
}

/* packed[group][u][v][c][o] = w[group o][u][v][c] */
static void pack(const struct call *k)
{
    const int outputs = group_outputs(k->node), elements = patch(k->node);
    real *to = k->packed;
    for (int g = 0; g < conv_attr(k->node)->groups; g++)
        for (int i = 0; i < elements; i++)
            for (int o = 0; o < outputs; o++)
                *to++ = k->x[WEIGHT].p[(ptrdiff_t)(g * outputs + o) * elements + i];
}

/* work[group][u][v][o][c] = w[group o][u][v][c] */
static void pack_dx(const struct call *k)
{
    const struct shape w = k->node->x[WEIGHT];
    const int outputs = group_outputs(k->node), taps = w.h * w.w;
    real *to = k->work;
    for (int g = 0; g < conv_attr(k->node)->groups; g++)
        for (int t = 0; t < taps; t++)
            for (int o = 0; o < outputs; o++, to += w.c)
                memcpy(to, k->x[WEIGHT].p + ((ptrdiff_t)(g * outputs + o) * taps + t) * w.c, (size_t)w.c * sizeof *to);
}

/* Patches of dy for a block of inputs: tap (u, v) of pixel (r, s) is output ((r + pad - u) / stride,
 * (s + pad - v) / stride), or 0 if there is none. */
static const real *dy_patches(const struct node *n, struct block in, struct row_values dy, int group, real *to, int *ld)
{
    const struct shape w = n->x[WEIGHT];
    const struct block out = level_block(&n->y[0], in.level);
    const int stride = conv_attr(n)->stride, pad = conv_attr(n)->pad, outputs = group_outputs(n);
    const real *first = to;
    *ld = dy.ld;
    if (pointwise(n))
        return dy.p + group * outputs;
    for (int r = in.row; r < in.row + in.rows; r++)
        for (int s = 0; s < in.w; s++)
            for (int u = 0; u < w.h; u++)
                for (int v = 0; v < w.w; v++, to += outputs) {
                    const int i = r + pad - u, j = s + pad - v;
                    const ptrdiff_t pixel = (ptrdiff_t)(i / stride - dy.first) * out.w + j / stride;
                    if (i >= 0 && j >= 0 && i % stride == 0 && j % stride == 0 && i / stride < out.h
                        && j / stride < out.w)
                        memcpy(to, dy.p + pixel * dy.ld + group * outputs, (size_t)outputs * sizeof *to);
                    else
                        memset(to, 0, (size_t)outputs * sizeof *to);
                }
    *ld = dy_patch(n);
    return first;
}

static void write_dx(const struct call *k, struct block in, struct row_values dy)
{
    const struct node *n = k->node;
    const struct view dx = k->dx[INPUT];
    const int inputs = n->x[WEIGHT].c;
    for (int g = 0; g < conv_attr(n)->groups; g++) {
        int ld;
        const real *p = dy_patches(n, in, dy, g, past(call_scratch(k), dy_bytes(n)), &ld);
        k->kernels->gemm_unpacked(false, in.rows * in.w, inputs, dy_patch(n), p, ld,
                                  (const real *)k->work + (ptrdiff_t)g * inputs * dy_patch(n), inputs, k->add[INPUT],
                                  dx.p + in.first * dx.ld + g * inputs, dx.ld);
    }
}

/* A 1x1 convolution computes dx with dw, while dy is in the cache. */
static int dx_blocks(const struct node *n, bool dw)
{
    return pointwise(n) && dw ? 0 : block_count(&n->x[INPUT], 1, 1, in_rows(n));
}

static void dx_block(const struct call *k, int index)
{
    const struct block in = block_at(&k->node->x[INPUT], 1, in_rows(k->node), index);
    write_dx(k, in, gradient_rows(k, in, call_scratch(k)));
}

static void backward_block(const struct call *k, int index, struct partial partial)
{
    const struct node *n = k->node;
    const struct operand_reader dy = reader_of(k, BACKWARD);
    const struct block out = block_of(n, index);
    const int outputs = group_outputs(n);
    real *own = call_scratch(k), *own_in = past(own, dy_bytes(n));
    real *own_patches = past(own_in, input_rows_bytes(n, out_rows(n)));
    const struct row_values in = input_rows(k, out, own_in);
    struct row_values rows = { .first = out.row };
    rows.p = reader_read(&dy, pixels_of(out), own, &rows.ld);
    for (int g = 0; g < conv_attr(n)->groups; g++) {
        int ld;
        const real *p = patches(n, out, level_block(&n->x[INPUT], out.level), in, g, own_patches, &ld);
        const int first = g * outputs + partial.from;
        k->kernels->gemm_unpacked(true, partial.end - partial.from, patch(n), out.rows * out.w, rows.p + first, rows.ld,
                                  p, ld, !partial.first, partial.dw + (ptrdiff_t)first * patch(n), patch(n));
    }
    if (partial.with_dx)
        write_dx(k, out, rows);
}

const struct conv_algorithm conv_dense = {
    .name = "dense", .direct = true, .fits = fits, .blocks = blocks, .block = block, .reads_dy_once = reads_dy_once,
    .packed = packed, .partial_elements = weight_elements, .scratch = scratch, .pack = pack, .pack_dx = pack_dx,
    .forward_block = forward_block, .backward_block = backward_block, .divides_dw = true, .dx_blocks = dx_blocks,
    .dx_block = dx_block, .sum = sum_weight_gradients };
