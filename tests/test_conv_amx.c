/* tests/test_conv_amx.c -- the kernels of a matrix unit against the plain ones. */
#include "base/random.h"
#include "kernel/tables.h"
#include "seed.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fill(float *p, ptrdiff_t count, uint64_t stream)
{
    struct random random = random_of(seed(), stream, (uint64_t)count);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (float)random_normal(&random);
}

/* The matrix unit of the table under test; without one the test is skipped. */
static const struct kernels *table_with_unit(void)
{
    const struct kernels *k = table_under_test();
    if (!k->amx) {
        printf("%s: this table has no matrix unit\n", k->name);
        skip();
    }
    return k;
}

/* ---- kernels ---- */

enum { ROWS = 45, COLUMNS = 50, INNER = 70, LD = 3 * AMX_BLOCK, PLANE = 4 * AMX_BLOCK * LD };

/* a [ROWS][INNER] as rows, b [INNER][COLUMNS] as pairs, the rows of b's transpose transposed to pairs, and a b. */
struct written { uint16_t rows[3 * PLANE], pairs[3 * PLANE], as_pairs[3 * PLANE]; float c[2 * AMX_BLOCK * LD]; };

static void run_kernels(const struct amx_kernels *t, int terms, const float *a, const float *b, const float *bt,
                        const float *start, struct written *to)
{
    const int inner = amx_round(INNER);
    const struct bf16 rows = { to->rows, PLANE, terms }, pairs = { to->pairs, PLANE, terms };
    uint16_t *transposed = calloc(3 * PLANE, sizeof *transposed);
    memset(to, 0, sizeof *to);
    t->split_rows(ROWS, INNER, a, INNER, rows, LD);
    t->split_pairs(INNER, COLUMNS, b, COLUMNS, pairs, (ptrdiff_t)inner * AMX_BLOCK);
    t->split_rows(COLUMNS, INNER, bt, INNER, (struct bf16){ transposed, PLANE, terms }, LD);
    for (int p = 0; p < terms; p++)
        for (int panel = 0; panel < 2; panel++)
            t->transpose(AMX_BLOCK, inner / 2, transposed + p * PLANE + panel * AMX_BLOCK * LD, LD,
                         to->as_pairs + p * PLANE + panel * inner * AMX_BLOCK, PAIR_ROW);
    t->begin();
    t->product(ROWS, COLUMNS, 1, &(ptrdiff_t){ 0 }, inner, rows, LD, pairs, (ptrdiff_t)inner * AMX_BLOCK, start, 0,
               to->c, LD);
    t->end();
    free(transposed);
}

static void matrices(float *a, float *b, float *bt)
{
    fill(a, ROWS * INNER, 1);
    fill(b, INNER * COLUMNS, 2);
    for (int i = 0; i < INNER; i++)
        for (int j = 0; j < COLUMNS; j++)
            bt[j * INNER + i] = b[i * COLUMNS + j];
}

static void unit_equals_plain(void **state)
{
    const struct kernels *k = table_with_unit();
    static float a[ROWS * INNER], b[INNER * COLUMNS], bt[INNER * COLUMNS], start[2 * AMX_BLOCK];
    static struct written plain, unit;
    (void)state;
    matrices(a, b, bt);
    fill(start, COLUMNS, 3);
    for (int terms = 2; terms <= 3; terms++) {
        run_kernels(&amx_ref, terms, a, b, bt, start, &plain);
        run_kernels(k->amx, terms, a, b, bt, start, &unit);
        assert_memory_equal(plain.rows, unit.rows, sizeof plain.rows);
        assert_memory_equal(plain.pairs, unit.pairs, sizeof plain.pairs);
        assert_memory_equal(plain.as_pairs, unit.as_pairs, sizeof plain.as_pairs);
        assert_memory_equal(plain.as_pairs, plain.pairs, sizeof plain.pairs);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLUMNS; j++)
                assert_true(fabsf(plain.c[i * LD + j] - unit.c[i * LD + j]) < 1e-4f);
    }
}

/* Consecutive blocks of pixels, with and without a norm and an activation. */
static void pointwise_is_the_same(void **state)
{
    enum { PIXELS = 3 * AMX_BLOCK + 13, LDY = COLUMNS + 3 };
    const struct kernels *k = table_with_unit();
    static float x[PIXELS * INNER], b[INNER * COLUMNS], start[2 * AMX_BLOCK], vectors[2 * COLUMNS];
    static uint16_t pairs[3 * PLANE], own[3 * PLANE];
    static float plain[PIXELS * LDY], unit[PIXELS * LDY];
    (void)state;
    fill(x, PIXELS * INNER, 4);
    fill(b, INNER * COLUMNS, 5);
    fill(start, COLUMNS, 6);
    fill(vectors, 2 * COLUMNS, 7);
    amx_ref.split_pairs(INNER, COLUMNS, b, COLUMNS, (struct bf16){ pairs, PLANE, 3 },
                        amx_round(INNER) * AMX_BLOCK);
    for (int variant = 0; variant < 2; variant++) {
        const struct affine f = { variant ? vectors : NULL, variant ? vectors + COLUMNS : NULL,
                                  variant ? ACT_LEAKY_RELU : ACT_NONE, (float)0.1 };
        const struct amx_kernels *const both[] = { &amx_ref, k->amx };
        float *const y[] = { plain, unit };
        for (int i = 0; i < 2; i++) {
            memset(y[i], 0, sizeof plain);
            memset(own, 0, sizeof own);
            both[i]->begin();
            both[i]->pointwise(&f, PIXELS, INNER, x, INNER, COLUMNS, (struct bf16){ pairs, PLANE, 3 },
                               variant ? start : NULL, (struct bf16){ own, PLANE, 3 }, y[i], LDY);
            both[i]->end();
        }
        for (int i = 0; i < PIXELS * LDY; i++)
            assert_true(fabsf(plain[i] - unit[i]) < 1e-4f && (i % LDY < COLUMNS || unit[i] == 0));
    }
}

/* The largest error of a sum of INNER terms, relative to the root of its squared terms. */
static double error_of_sums(const struct amx_kernels *amx, int terms)
{
    static float a[ROWS * INNER], b[INNER * COLUMNS], bt[INNER * COLUMNS];
    static struct written w;
    double worst = 0;
    matrices(a, b, bt);
    run_kernels(amx, terms, a, b, bt, NULL, &w);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            double sum = 0, squares = 0;
            for (int t = 0; t < INNER; t++) {
                const double term = (double)a[i * INNER + t] * b[t * COLUMNS + j];
                sum += term;
                squares += term * term;
            }
            worst = fmax(worst, fabs(w.c[i * LD + j] - sum) / sqrt(squares));
        }
    printf("%d bf16 terms: largest error %.1e\n", terms, worst);
    return worst;
}

/* Two bf16 terms drop 2^-17 of each factor.  Three keep all bits of a float, so their error is that of float additions.
 * The plain version adds six products per summand one by one: the roundings of 6 n additions are a random walk with
 * standard deviation sqrt(3 n) 2^-25.  The unit adds the small products of 32 summands before the large ones, so only a
 * sixth of its roundings have full size. */
static void plain_error_is_within_bound(void **state)
{
    (void)state;
    assert_true(error_of_sums(&amx_ref, 2) < 2e-5);
    assert_true(error_of_sums(&amx_ref, 3) < 8 * sqrt(3 * INNER) * ldexp(1, -25));
}

static void unit_error_is_within_bound(void **state)
{
    const struct kernels *k = table_with_unit();
    (void)state;
    assert_true(error_of_sums(k->amx, 2) < 2e-5);
    assert_true(error_of_sums(k->amx, 3) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unit_equals_plain), cmocka_unit_test(pointwise_is_the_same),
        cmocka_unit_test(plain_error_is_within_bound), cmocka_unit_test(unit_error_is_within_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
