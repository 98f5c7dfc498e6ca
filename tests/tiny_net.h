/* tests/tiny_net.h -- the model of tests/tiny.h, opened. */
#ifndef TESTS_TINY_NET_H
#define TESTS_TINY_NET_H
#include "base/random.h"
#include "base/string_list.h"
#include "model/model.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct net { struct config config; struct model model; struct error err; struct string_list notes; };

static inline void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

/* Opens the tiny model; its running statistics are made up, so that norms do something. */
static inline void net_open(struct net *n, const char *const *overrides, int count)
{
    *n = (struct net){0};
    must(config_read(&n->config, in_folder("config.yml"), overrides, count, &n->err), &n->err);
    must(model_open(&n->model, &n->config, &n->err), &n->err);
    model_start(&n->model);
    struct random random = random_of(7, 0, 0);
    for (int i = 0; i < n->model.params.count; i++) {
        const struct param *p = &n->model.params.list[i];
        for (ptrdiff_t k = p->offset; p->kind == PARAM_BUFFER && k < p->offset + p->count; k++)
            n->model.params.value[k] = (real)(strstr(p->name, "running_var") ? random_range(&random, 0.2, 2)
                                                                             : random_range(&random, -0.3, 0.3));
    }
}

static inline void net_close(struct net *n)
{
    string_list_free(&n->notes);
    model_free(&n->model);
    config_free(&n->config);
}
#endif
