/* tests/test_muon.c -- steps of Muon against the formula in double; which parameters take them; bits and threads. */
#include "base/random.h"
#include "seed.h"
#include "tables.h"
#include "train/optimizer.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const text =
    "model: {weight_averager: {name: ExpMovingAverager, decay: 0.9},\n"
    "        arch: {name: NanoDetPlus, backbone: {name: x}, fpn: {name: x}, head: {name: x}}}\n"
    "data: {train: {input_size: [32, 32]}}\n"
    "schedule: {total_epochs: 10, optimizer: {name: Muon, lr: 0.01, weight_decay: 0.1,\n"
    "           param_level_cfg: {backbone: {lr_mult: 0.5, decay_mult: 2}}}}\n"
    "grad_clip: 1\n"
    "class_names: [x]\n";

static void read_config(struct config *config, const char *override)
{
    struct error err = {0};
    *config = (struct config){0};
    if (!config_parse(config, text, strlen(text), "a.yml", &override, override != NULL, &err))
        fail_msg("%s", err.text);
}

static const struct tensor { const char *name; int n, h, w, c, rank; enum param_kind kind; bool used, matrix; }
tensors[] = {
    { "neck.wide.weight",      5,   1, 1, 170, 4, PARAM_TRAINED, true,  true },
    { "neck.tall.weight",      150, 3, 3, 2,   4, PARAM_TRAINED, true,  true },
    { "backbone.conv.weight",  72,  3, 3, 8,   4, PARAM_TRAINED, true,  true },
    { "neck.fc.weight",        9,   1, 1, 9,   2, PARAM_TRAINED, true,  true },
    { "neck.depthwise.weight", 24,  5, 5, 1,   4, PARAM_TRAINED, true,  false },
    { "neck.bn.weight",        1,   1, 1, 24,  1, PARAM_TRAINED, true,  false },
    { "head.gfl_cls.0.weight", 12,  1, 1, 20,  4, PARAM_TRAINED, true,  false },
    { "neck.unused.weight",    8,   1, 1, 8,   4, PARAM_TRAINED, false, false },
    { "stem.conv.weight",      8,   3, 3, 3,   4, PARAM_FROZEN,  true,  false },
    {0} };

struct fixture { struct params params; struct optimizer optimizer; };

static void open_fixture(struct fixture *f, const struct config *config)
{
    struct error err = {0};
    *f = (struct fixture){0};
    for (const struct tensor *t = tensors; t->name; t++) {
        const int i = params_declare(&f->params, t->name, (struct shape){ t->n, t->h, t->w, t->c, {0} }, t->rank,
                                     t->kind, (struct init){ INIT_NORMAL, 0.1 }, &err);
        assert_int_equal(i, t - tensors);
        f->params.list[i].used = t->used;
    }
    assert_true(params_layout(&f->params, NULL, 0, &err));
    params_init(&f->params, seed());
    assert_true(optimizer_init(&f->optimizer, config, &f->params, table_under_test(), &err));
}

static void close_fixture(struct fixture *f)
{
    optimizer_free(&f->optimizer);
    params_free(&f->params);
}

static double set_gradient(struct optimizer *o, int step)
{
    struct random random = random_of(seed(), 3, (uint64_t)step);
    const double size = step % 3 ? 0.01 : 10;           /* clipped in every third step */
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        for (ptrdiff_t k = 0; p->kind == PARAM_TRAINED && p->used && k < p->count; k++)
            o->gradient[p->offset + k] = (float)(size * random_normal(&random));
    }
    return optimizer_norm(o, &(struct team){ 2 });
}

static void step(struct optimizer *o, int number, int threads)
{
    const double norm = set_gradient(o, number);
    optimizer_rate(o);
    optimizer_step(o, &(struct team){ threads }, norm);
}

/* ---- the formula ---- */

static void multiply(int m, int n, int k, const double *a, const double *b, bool b_transposed, double *c)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            c[i * n + j] = 0;
            for (int l = 0; l < k; l++)
                c[i * n + j] += a[i * k + l] * (b_transposed ? b[j * k + l] : b[l * n + j]);
        }
}

static void orthogonalise(int rows, int columns, double *x)
{
    enum { MOST = 150 * 150, ALL = 6000 };
    static double a[MOST], b[MOST], next[ALL];
    double squares = 0;
    for (int i = 0; i < rows * columns; i++)
        squares += x[i] * x[i];
    for (int i = 0; i < rows * columns; i++)
        x[i] /= sqrt(squares) + 1e-7;
    for (int iteration = 0; iteration < 5; iteration++) {
        multiply(rows, rows, columns, x, x, true, a);
        multiply(rows, rows, rows, a, a, false, b);
        for (int i = 0; i < rows * rows; i++)
            b[i] = -4.7750 * a[i] + 2.0315 * b[i];
        multiply(rows, columns, rows, b, x, false, next);
        for (int i = 0; i < rows * columns; i++)
            x[i] = 3.4445 * x[i] + next[i];
    }
}

struct plain { double *value, *moment, *update; };

static void plain_step(const struct config *c, const struct param *p, const float *gradient, double norm,
                       struct plain *m)
{
    const double clip = fmin(1, c->grad_clip / (norm + 1e-6)), b = c->schedule.optimizer.muon_momentum;
    const bool backbone = p->name[0] == 'b';
    const double lr = 0.01 * (backbone ? 0.5 : 1), decay = 0.1 * (backbone ? 2 : 1);
    const int rows = p->shape.n, columns = (int)p->count / rows;
    for (int i = 0; i < p->count; i++) {
        m->moment[i] = b * m->moment[i] + (1 - b) * clip * gradient[p->offset + i];
        m->update[i] = b * m->moment[i] + (1 - b) * clip * gradient[p->offset + i];
    }
    orthogonalise(rows, columns, m->update);
    for (int i = 0; i < p->count; i++) {
        m->update[i] *= lr * 0.2 * sqrt(rows > columns ? rows : columns);
        m->value[i] = (1 - lr * decay) * m->value[i] - m->update[i];
    }
}

static void plain_start(struct plain *m, const struct params *params, const struct param *p)
{
    *m = (struct plain){ calloc((size_t)p->count, sizeof(double)), calloc((size_t)p->count, sizeof(double)),
                         calloc((size_t)p->count, sizeof(double)) };
    for (int i = 0; i < p->count; i++)
        m->value[i] = params->value[p->offset + i];
}

static void test_formula(void **state)
{
    enum { STEPS = 8, TENSORS = sizeof tensors / sizeof *tensors };
    struct config config;
    struct fixture f;
    struct plain plain[TENSORS] = {0};
    (void)state;
    read_config(&config, NULL);
    open_fixture(&f, &config);
    const struct params *params = &f.params;
    for (int i = 0; i < params->count; i++)
        plain_start(&plain[i], params, &params->list[i]);
    for (int number = 1; number <= STEPS; number++) {
        step(&f.optimizer, number, 2);
        const double norm = optimizer_norm(&f.optimizer, &(struct team){ 2 });
        for (int i = 0; i < params->count; i++) {
            const struct param *p = &params->list[i];
            double squares = 0;
            if (!tensors[i].matrix)
                continue;
            plain_step(&config, p, f.optimizer.gradient, norm, &plain[i]);
            for (int k = 0; k < p->count; k++) {
                const double off = fabs(params->value[p->offset + k] - plain[i].value[k]);
                squares += pow(plain[i].update[k], 2);
                if (!(off < 2e-6))
                    fail_msg("step %d: %s[%d] is %.3g off; SEED=%" PRIu64, number, p->name, k, off, seed());
            }
            const double rms = sqrt(squares / (double)p->count) / (p->name[0] == 'b' ? 0.005 : 0.01);
            assert_true(rms > 0.12 && rms < 0.26);              /* about that of AdamW, 0.2 */
        }
    }
    for (int i = 0; i < params->count; i++) {
        free(plain[i].value);
        free(plain[i].moment);
        free(plain[i].update);
    }
    close_fixture(&f);
    config_free(&config);
}

/* Parameters that are not matrices take the steps of AdamW; matrices take others, unless muon_skip names them. */
static void test_the_rest_is_adamw(void **state)
{
    static const char *const skips[] = { NULL, "schedule.optimizer.muon_skip=[weight]" };
    struct config adamw;
    (void)state;
    read_config(&adamw, "schedule.optimizer.name=AdamW");
    for (int i = 0; i < 2; i++) {
        struct config muon;
        struct fixture a, b;
        read_config(&muon, skips[i]);
        open_fixture(&a, &muon);
        open_fixture(&b, &adamw);
        for (int number = 1; number <= 4; number++) {
            step(&a.optimizer, number, 2);
            step(&b.optimizer, number, 2);
        }
        for (int k = 0; k < a.params.count; k++) {
            const struct param *p = &a.params.list[k];
            const size_t bytes = (size_t)p->count * sizeof(float);
            const bool same = memcmp(a.params.value + p->offset, b.params.value + p->offset, bytes) == 0;
            if (same != (i == 1 || !tensors[k].matrix))
                fail_msg("%s: %s", p->name, same ? "the same steps" : "other steps");
        }
        close_fixture(&a);
        close_fixture(&b);
        config_free(&muon);
    }
    config_free(&adamw);
}

static void test_threads(void **state)
{
    static const int threads[] = { 1, 2, 3, 16 };
    struct config config;
    float *kept = NULL, *average = NULL;
    (void)state;
    read_config(&config, NULL);
    for (int i = 0; i < 4; i++) {
        struct fixture f;
        open_fixture(&f, &config);
        const size_t bytes = (size_t)f.params.total * sizeof(float);
        for (int number = 1; number <= 4; number++)
            step(&f.optimizer, number, threads[i]);
        if (!i) {
            kept = memcpy(malloc(bytes), f.params.value, bytes);
            average = memcpy(malloc(bytes), f.optimizer.average, bytes);
        }
        assert_memory_equal(kept, f.params.value, bytes);
        assert_memory_equal(average, f.optimizer.average, bytes);
        close_fixture(&f);
    }
    free(kept);
    free(average);
    config_free(&config);
}

/* A gradient of 0 only decays. */
static void test_no_gradient(void **state)
{
    struct config config;
    struct fixture f;
    (void)state;
    read_config(&config, NULL);
    open_fixture(&f, &config);
    const float before = f.params.value[f.params.list[0].offset];
    optimizer_rate(&f.optimizer);
    optimizer_step(&f.optimizer, &(struct team){ 1 }, 0);
    assert_true(fabs(f.params.value[f.params.list[0].offset] - before * (1 - 0.01 * 0.1)) < 1e-7);
    close_fixture(&f);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_the_rest_is_adamw),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
