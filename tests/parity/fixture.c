#include "fixture.h"

#include "interop/safetensors.h"
#include <limits.h>
#include <math.h>
#include <string.h>

bool fixture_open(struct tensors *t, struct parity *p, const char *path)
{
    struct error err = {0};
    *t = (struct tensors){0};
    if (!safetensors_read(t, path, &err))
        parity_fail(p, path, "%s", err.text);
    return err.exit == 0;
}

double *fixture_doubles(struct tensors *t, const char *name)
{
    const struct tensor *x = tensors_find(t, name);
    double *out = x ? tensors_block(t, tensor_count(x), sizeof *out, NULL) : NULL;
    if (out)
        tensor_doubles(x, out);
    return out;
}

float *fixture_floats(struct tensors *t, const char *name)
{
    const struct tensor *x = tensors_find(t, name);
    float *out = x ? tensors_block(t, tensor_count(x), sizeof *out, NULL) : NULL;
    if (out)
        tensor_floats(x, out);
    return out;
}

int *fixture_ints(struct tensors *t, const char *name)
{
    const struct tensor *x = tensors_find(t, name);
    const double *from = fixture_doubles(t, name);
    int *out = from ? tensors_block(t, tensor_count(x), sizeof *out, NULL) : NULL;
    for (size_t i = 0; out && i < tensor_count(x); i++)
        out[i] = (int)fmax(fmin(from[i], INT_MAX), INT_MIN);
    return out;
}

int fixture_extent(const struct tensors *t, const char *name, int axis)
{
    const struct tensor *x = tensors_find(t, name);
    return x && axis < x->rank && x->dims[axis] <= INT_MAX ? (int)x->dims[axis] : 0;
}

static cJSON *metadata(const struct tensors *t, const char *key)
{
    const char *text = tensors_metadata(t, key);
    return text ? json_parse(text, strlen(text), key, NULL) : NULL;
}

double fixture_number(const struct tensors *t, const char *key, double fallback)
{
    cJSON *json = metadata(t, key);
    double x = fallback;
    json_real(json, &x);
    cJSON_Delete(json);
    return x;
}

int fixture_list(const struct tensors *t, const char *key, int *out, int room)
{
    cJSON *json = metadata(t, key);
    const cJSON *x;
    int count = 0;
    cJSON_ArrayForEach(x, json)
        if (count < room && json_int(x, &out[count]))
            count++;
    cJSON_Delete(json);
    return count;
}

static int flatten(const cJSON *json, double *out, int room)
{
    const cJSON *x;
    int count = 0;
    if (cJSON_IsBool(json) && room > 0)
        out[count++] = cJSON_IsTrue(json);
    else if (room > 0 && json_real(json, out))
        count++;
    if (cJSON_IsArray(json))
        cJSON_ArrayForEach(x, json)
            count += flatten(x, out + count, room - count);
    return count;
}

int fixture_json(const cJSON *object, const char *key, double *out, int room)
{
    return flatten(cJSON_GetObjectItemCaseSensitive(object, key), out, room);
}

double fixture_worse(double a, double b)
{
    return isnan(a) || a >= b ? a : b;
}

double fixture_distance_of(const double *got, const double *want, size_t count, double min_norm)
{
    double worst = 0, largest = min_norm;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs(got[i] - want[i]);
        worst = d <= worst ? worst : d;                 /* NaN stays: no comparison with it holds */
        largest = fmax(largest, fabs(want[i]));
        if (isnan(d))
            return d;
    }
    return largest > 0 ? worst / largest : worst;
}

double fixture_distance(const double *got, const double *want, size_t count)
{
    return fixture_distance_of(got, want, count, 0);
}
