#include "op/conv/reader.h"

#include "base/min_max.h"
#include "graph/operands.h"
#include "kernel/kernels.h"

struct operand_reader reader_of(const struct call *k, enum pass pass)
{
    return (struct operand_reader){ k, pass, pass == FORWARD ? k->node->x[INPUT].c : k->node->y[0].c };
}

void reader_copy(const struct operand_reader *s, struct range r, real *to, int ld)
{
    const struct view *dy = &s->k->dy[0];
    if (s->pass == FORWARD)
        copy_operand(s->k, INPUT, r, to, ld);
    else if (s->k->fused_norm)
        s->k->fused_norm->node->op->fusible->gradient(s->k->fused_norm, r, to, ld);
    else
        s->k->kernels->copy_rows(r.count, s->c, dy->p + r.first * dy->ld, dy->ld, false, to, ld);
}

const real *reader_read(const struct operand_reader *s, struct range r, real *scratch, int *ld)
{
    if (s->pass == FORWARD)
        return read_operand(s->k, INPUT, r, scratch, ld);
    *ld = s->k->fused_norm ? s->c : s->k->dy[0].ld;
    if (!s->k->fused_norm)
        return s->k->dy[0].p + r.first * *ld;
    reader_copy(s, r, scratch, *ld);
    return scratch;
}

struct row_values input_rows(const struct call *k, struct block out, real *scratch)
{
    const struct node *n = k->node;
    const int stride = conv_attr(n)->stride, pad = conv_attr(n)->pad, h = level_block(&n->x[INPUT], out.level).h;
    const int from = max_int(0, min_int(h, out.row * stride - pad));
    const int end = max_int(from, min_int(h, (out.row + out.rows - 1) * stride - pad + n->x[WEIGHT].h));
    const struct block in = row_block(&n->x[INPUT], out.level, out.image, from, end);
    struct row_values rows = { .first = from };
    rows.p = read_operand(k, INPUT, pixels_of(in), scratch, &rows.ld);
    return rows;
}

size_t input_rows_bytes(const struct node *n, int output_rows)
{
    const int rows = (output_rows - 1) * conv_attr(n)->stride + n->x[WEIGHT].h;
    return (size_t)rows * (size_t)max_level_width(&n->x[INPUT]) * (size_t)n->x[INPUT].c * sizeof(real);
}

struct row_values gradient_rows(const struct call *k, struct block in, real *scratch)
{
    const struct node *n = k->node;
    const int stride = conv_attr(n)->stride, reach = in.row + conv_attr(n)->pad, h = level_block(&n->y[0], in.level).h;
    const int from = min_int(h, (max_int(0, reach - n->x[WEIGHT].h + 1) + stride - 1) / stride);
    const int end = max_int(from, min_int(h, (reach + in.rows - 1) / stride + 1));
    const struct block out = row_block(&n->y[0], in.level, in.image, from, end);
    const struct operand_reader dy = reader_of(k, BACKWARD);
    struct row_values rows = { .first = from };
    rows.p = reader_read(&dy, pixels_of(out), scratch, &rows.ld);
    return rows;
}

size_t gradient_rows_bytes(const struct node *n, int input_rows)
{
    const int rows = (input_rows + n->x[WEIGHT].h - 2) / conv_attr(n)->stride + 1;
    return (size_t)rows * (size_t)max_level_width(&n->y[0]) * (size_t)n->y[0].c * sizeof(real);
}
