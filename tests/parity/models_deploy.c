/* tests/parity/models_deploy.c -- the branches of a block merged into one convolution. */
#include "base/strbuf.h"
#include "deploy/network_fold.h"
#include "model/model_network.h"
#include "models.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "deploy.", suffix[] = ".norm";

static bool is_digest(const char *name)
{
    return starts_with(name, prefix) && ends_with(name, suffix);
}

/* The fixtures give these digests no tolerance of their own: that of the outputs. */
static cJSON *rules_of(const cJSON *meta)
{
    static const char *const groups[] = { "deploy.*.norm", "deploy.*.sum", "deploy.*.sample" };
    const cJSON *outputs = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(meta, "tolerance"),
                                                            "eval_out");
    cJSON *rules = cJSON_CreateObject(), *tolerance = cJSON_AddObjectToObject(rules, "tolerance");
    for (int i = 0; i < 3; i++)
        cJSON_AddItemToObject(tolerance, groups[i], cJSON_Duplicate(outputs, true));
    return rules;
}

static bool compare_tensor(struct model_case *c, const cJSON *rules, const struct network *net, const char *digest,
                           struct error *err)
{
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(c->meta, "digest_samples");
    char name[300];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(digest) - strlen(suffix)), digest);
    const struct tensor *t = tensors_find(&net->weights, name + strlen(prefix));
    float *x = t ? malloc(tensor_count(t) * sizeof *x) : NULL;
    if (!x)
        return fail(err, "%s: no such weight in the network", name);
    tensor_floats(t, x);
    tally_digest(c, rules, &c->expected, name, "deploy.*",
                 (struct digest){ x, tensor_count(t), samples ? samples->valueint : 1, 0 });
    free(x);
    return true;
}

bool compare_deploy(struct model_case *c, struct error *err)
{
    bool any = false;
    for (int i = 0; i < c->expected.count; i++)
        any = any || is_digest(c->expected.list[i].name);
    if (!any)
        return true;
    struct network net;
    cJSON *rules = rules_of(c->meta);
    bool ok = model_export_network(&c->model, c->model.params.value, &net, err) && network_fold(&net, err)
           && network_merge(&net, err) && tensors_index(&net.weights, "the network", err);
    for (int i = 0; ok && i < c->expected.count; i++)
        ok = !is_digest(c->expected.list[i].name) || compare_tensor(c, rules, &net, c->expected.list[i].name, err);
    network_free(&net);
    cJSON_Delete(rules);
    return ok;
}
