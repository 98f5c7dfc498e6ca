#include "train/muon.h"

#include "base/memory.h"
#include "base/min_max.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, ITERATIONS = 5 };    /* BLOCK: rows of a product per chunk of work */

bool muon_takes(const struct optimizer_config *c, const struct param *p)
{
    bool takes = p->rank == 2 || (p->rank == 4 && p->shape.c > 1);
    for (int i = 0; i < c->muon_skip.count; i++)
        takes = takes && !strstr(p->name, c->muon_skip.at[i]);
    return takes;
}

/* ---- memory ---- */

bool muon_init(struct muon *m, int capacity, struct error *err)
{
    *m = (struct muon){ .list = new_array((size_t)capacity, sizeof *m->list, err) };
    return m->list;
}

void muon_add(struct muon *m, const struct param *p, double decay, int rate)
{
    const int rows = p->shape.n, columns = (int)(p->count / rows);
    m->list[m->count++] = (struct muon_matrix){ .offset = p->offset, .rows = rows, .columns = columns, .decay = decay,
                                                .rate = rate, .tall = max_int(rows, columns),
                                                .thin = min_int(rows, columns) };
}

static int blocks_of(int rows) { return (rows + BLOCK - 1) / BLOCK; }

static void add_blocks(struct muon_blocks *b, int matrix, int rows)
{
    for (int first = 0; first < rows; first += BLOCK)
        b->list[b->count++] = (struct muon_block){ matrix, first, min_int(BLOCK, rows - first) };
}

bool muon_layout(struct muon *m, struct error *err)
{
    size_t elements = 0, thin = 0, tall = 0;
    for (int i = 0; i < m->count; i++) {
        const struct muon_matrix *x = &m->list[i];
        elements += 2 * (size_t)x->thin * ((size_t)x->tall + (size_t)x->thin);
        thin += (size_t)blocks_of(x->thin);
        tall += (size_t)blocks_of(x->tall);
    }
    m->memory = new_array(elements, sizeof *m->memory, err);
    m->thin.list = new_array(thin, sizeof *m->thin.list, err);
    m->tall.list = new_array(tall, sizeof *m->tall.list, err);
    if (!m->memory || !m->thin.list || !m->tall.list)
        return false;
    real *free_memory = m->memory;
    for (int i = 0; i < m->count; i++) {
        struct muon_matrix *x = &m->list[i];
        real **const arrays[4] = { &x->x, &x->next, &x->gram, &x->polynomial };
        for (int k = 0; k < 4; k++) {
            *arrays[k] = free_memory;
            free_memory += (ptrdiff_t)x->thin * (k < 2 ? x->tall : x->thin);
        }
        add_blocks(&m->thin, i, x->thin);
        add_blocks(&m->tall, i, x->tall);
    }
    return true;
}

void muon_free(struct muon *m)
{
    free(m->list);
    free(m->thin.list);
    free(m->tall.list);
    free(m->memory);
    *m = (struct muon){0};
}

/* ---- a step ---- */

struct muon_job { const struct muon *muon; const struct muon_step *step; };

/* Element (row, column) of W is x[row * row_stride + column * column_stride]. */
static ptrdiff_t row_stride(const struct muon_matrix *m) { return m->rows < m->columns ? 1 : m->thin; }
static ptrdiff_t column_stride(const struct muon_matrix *m) { return m->rows < m->columns ? m->thin : 1; }

/* Updates the momentum and sets X to the normalised u. */
static void load(const void *job, int index)
{
    const struct muon_job *j = job;
    const struct muon_matrix *m = &j->muon->list[index];
    const real b = j->step->momentum, *g = j->step->gradient + m->offset;
    const ptrdiff_t down = row_stride(m), across = column_stride(m), count = (ptrdiff_t)m->rows * m->columns;
    real *moment = j->step->moment + m->offset;
    for (int row = 0; row < m->rows; row++)
        for (int column = 0; column < m->columns; column++, g++, moment++) {
            const real part = (1 - b) * j->step->clip * *g;
            *moment = b * *moment + part;
            m->x[row * down + column * across] = b * *moment + part;
        }
    const real scale = (real)(1 / (sqrt(j->step->kernels->sum_of_squares(count, m->x)) + 1e-7));
    for (ptrdiff_t i = 0; i < count; i++)
        m->x[i] *= scale;
}

/* Rows of A. */
static void multiply_gram(const void *job, int index)
{
    const struct muon_job *j = job;
    const struct muon_block *b = &j->muon->thin.list[index];
    const struct muon_matrix *m = &j->muon->list[b->matrix];
    j->step->kernels->gemm_unpacked(true, b->count, m->thin, m->tall, m->x + b->first, m->thin, m->x, m->thin, false,
                                    m->gram + (ptrdiff_t)b->first * m->thin, m->thin);
}

/* Rows of the polynomial. */
static void multiply_polynomial(const void *job, int index)
{
    const struct muon_job *j = job;
    const struct muon_block *b = &j->muon->thin.list[index];
    const struct muon_matrix *m = &j->muon->list[b->matrix];
    const ptrdiff_t first = (ptrdiff_t)b->first * m->thin, count = (ptrdiff_t)b->count * m->thin;
    real *out = m->polynomial + first;
    const real *gram = m->gram + first;
    j->step->kernels->gemm_unpacked(false, b->count, m->thin, m->thin, gram, m->thin, m->gram, m->thin, false, out,
                                    m->thin);
    for (ptrdiff_t i = 0; i < count; i++)
        out[i] = (real)2.0315 * out[i] - (real)4.7750 * gram[i];
    for (int i = 0; i < b->count; i++)
        out[(ptrdiff_t)i * m->thin + b->first + i] += (real)3.4445;
}

/* Rows of the next X. */
static void multiply_next(const void *job, int index)
{
    const struct muon_job *j = job;
    const struct muon_block *b = &j->muon->tall.list[index];
    const struct muon_matrix *m = &j->muon->list[b->matrix];
    const ptrdiff_t first = (ptrdiff_t)b->first * m->thin;
    j->step->kernels->gemm_unpacked(false, b->count, m->thin, m->thin, m->x + first, m->thin, m->polynomial, m->thin,
                                    false, m->next + first, m->thin);
}

static void apply(const void *job, int index)
{
    const struct muon_job *j = job;
    const struct muon_matrix *m = &j->muon->list[index];
    const double lr = j->step->rates[m->rate].current;
    const real keep = (real)(1 - lr * m->decay), rate = (real)(lr * 0.2 * sqrt(m->tall));
    const ptrdiff_t down = row_stride(m), across = column_stride(m);
    real *value = j->step->value + m->offset;
    for (int row = 0; row < m->rows; row++)
        for (int column = 0; column < m->columns; column++, value++)
            *value = keep * *value - rate * m->x[row * down + column * across];
}

void muon_step(struct muon *m, const struct muon_step *step, const struct team *team)
{
    const struct muon_job job = { m, step };
    team_for(team, m->count, load, &job);
    for (int i = 0; i < ITERATIONS; i++) {
        team_for(team, m->thin.count, multiply_gram, &job);
        team_for(team, m->thin.count, multiply_polynomial, &job);
        team_for(team, m->tall.count, multiply_next, &job);
        for (int k = 0; k < m->count; k++) {
            real *x = m->list[k].x;
            m->list[k].x = m->list[k].next;
            m->list[k].next = x;
        }
    }
    team_for(team, m->count, apply, &job);
}
