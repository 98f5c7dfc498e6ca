#include "op/policy.h"

#include "base/strbuf.h"
#include "kernel/kernels.h"
#include "op/conv/conv.h"
#include <string.h>

static bool no_such_algorithm(const char *name, struct error *err)
{
    struct strbuf known = {0};
    for (int i = 0; conv_algorithms[i]; i++)
        strbuf_addf(&known, ", %s", conv_algorithms[i]->name);
    if (strbuf_check(&known, err))
        misuse(err, "NANODET_CONV=%s: there is no such algorithm; known are direct%s", name, known.s);
    strbuf_free(&known);
    return false;
}

bool policy_choose(struct policy *p, const char *isa, const char *conv, int threads, struct error *err)
{
    const bool direct = conv && strcmp(conv, "direct") == 0, named = conv && *conv && !direct;
    *p = (struct policy){ .kernels = kernels_pick(isa, err), .conv = named ? conv_algorithm_named(conv) : NULL,
                          .direct = direct, .bf16_terms = 3, .threads = threads };
    return p->kernels && (!named || p->conv || no_such_algorithm(conv, err));
}
