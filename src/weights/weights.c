#include "weights/weights.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <stdio.h>
#include <stdlib.h>

void weights_report_free(struct weights_report *report)
{
    string_list_free(&report->missing);
    string_list_free(&report->misfit);
    string_list_free(&report->unknown);
    *report = (struct weights_report){0};
}

static bool same_dims(const struct param *p, const struct tensor *t)
{
    size_t dims[4] = {0};
    const int rank = param_dims(p, dims);
    if (t->rank != rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (t->dims[i] != dims[i])
            return false;
    return true;
}

/* The number of rows that the tensor has more than the parameter; 0 if they differ otherwise. */
static int row_difference(const struct param *p, const struct tensor *t)
{
    enum { MAX_ROWS = 1 << 20 };
    size_t dims[4] = {0};
    const int rank = param_dims(p, dims);
    bool same = t->rank == rank && rank > 0 && t->dims[0] < MAX_ROWS && dims[0] < MAX_ROWS;
    for (int i = 1; same && i < rank; i++)
        same = t->dims[i] == dims[i];
    return same ? (int)t->dims[0] - (int)dims[0] : 0;
}

static void add_dims(struct strbuf *text, const size_t *dims, int rank)
{
    strbuf_addf(text, "[");
    for (int i = 0; i < rank; i++)
        strbuf_addf(text, "%s%zu", i ? ", " : "", dims[i]);
    strbuf_addf(text, "]");
}

static bool note_misfit(struct weights_report *report, const struct param *p, const struct tensor *t, struct error *err)
{
    struct strbuf line = {0};
    size_t dims[4] = {0};
    const int rank = param_dims(p, dims), rows = row_difference(p, t);
    report->extra_rows = report->misfit.count == 0 || report->extra_rows == rows ? rows : 0;
    strbuf_addf(&line, "%s is ", p->name);
    add_dims(&line, t->dims, t->rank);
    strbuf_addf(&line, ", the model wants ");
    add_dims(&line, dims, rank);
    const bool ok = strbuf_check(&line, err) && string_list_add(&report->misfit, line.s, err);
    strbuf_free(&line);
    return ok;
}

/* Official files also contain batch counters and the constants 0, 1, ..., reg_max. */
static bool is_ignored(const char *name)
{
    return ends_with(name, "num_batches_tracked") || ends_with(name, "distribution_project.project");
}

/* Copies one tensor of the file and marks its parameter as present. */
static bool load_tensor(const struct params *params, const struct tensor *t, const char *prefix, real *array,
                        bool *present, float *buffer, struct weights_report *report, struct error *err)
{
    char name[640];
    snprintf(name, sizeof name, "%s%s", starts_with(t->name, prefix) ? "" : prefix, t->name);
    const int index = params_find(params, name);
    if (index < 0)
        return is_ignored(t->name) || string_list_add(&report->unknown, t->name, err);
    const struct param *p = &params->list[index];
    present[index] = true;
    if (!same_dims(p, t))
        return note_misfit(report, p, t, err);
    tensor_floats(t, buffer);
    param_from_file(p, buffer, array);
    report->loaded++;
    return true;
}

static float *new_largest_buffer(const struct params *params, struct error *err)
{
    ptrdiff_t largest = 0;
    for (int i = 0; i < params->count; i++)
        largest = params->list[i].count > largest ? params->list[i].count : largest;
    return new_array((size_t)largest, sizeof(float), err);
}

bool weights_from_tensors(const struct params *params, const struct tensors *t, const char *prefix, real *array,
                          struct weights_report *report, struct error *err)
{
    bool *present = new_array((size_t)params->count, sizeof *present, err);
    float *buffer = new_largest_buffer(params, err);
    bool ok = present && buffer;
    for (int i = 0; ok && i < t->count; i++)
        ok = load_tensor(params, &t->list[i], prefix, array, present, buffer, report, err);
    for (int i = 0; ok && i < params->count; i++)
        if (!present[i] && starts_with(params->list[i].name, prefix))
            ok = string_list_add(&report->missing, params->list[i].name, err);
    free(present);
    free(buffer);
    return ok;
}

bool weights_to_tensors(const struct params *params, const real *array, const char *prefix, struct tensors *t,
                        struct error *err)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        char name[640];
        float *data = tensors_block(t, (size_t)p->count, sizeof *data, err);
        if (!data)
            return false;
        param_to_file(p, array, data);
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        struct tensor tensor = { .name = name, .dtype = DTYPE_F32, .data = (const unsigned char *)data };
        tensor.rank = param_dims(p, tensor.dims);
        if (!tensors_add(t, &tensor, err))
            return false;
    }
    return true;
}

bool weights_add_threshold(double threshold, struct tensors *t, struct error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", threshold);
    return threshold < 0 || tensors_add_metadata(t, "score_threshold", text, err);
}
