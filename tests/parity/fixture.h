/* tests/parity/fixture.h -- fixtures that are safetensors files: tensors converted to the type of a comparison,
 * case parameters from the metadata.  tensors_free releases all results. */
#ifndef TESTS_PARITY_FIXTURE_H
#define TESTS_PARITY_FIXTURE_H
#include "base/json.h"
#include "interop/tensors.h"
#include "parity.h"

/* False, and a failure reported, if the file cannot be read.  tensors_free either way. */
bool fixture_open(struct tensors *, struct parity *, const char *path);

/* All elements of a tensor, or NULL if the file has none of this name. */
double *fixture_doubles(struct tensors *, const char *name);
float *fixture_floats(struct tensors *, const char *name);
int *fixture_ints(struct tensors *, const char *name);
int fixture_extent(const struct tensors *, const char *name, int axis);        /* 0 if there is none */

/* A number, or the numbers of a list, of the metadata; fallback or 0 if it is not there. */
double fixture_number(const struct tensors *, const char *key, double fallback);
int fixture_list(const struct tensors *, const char *key, int *out, int room);

/* The numbers at a key of a JSON object, nested lists in order, true as 1; returns their count, at most room. */
int fixture_json(const cJSON *object, const char *key, double *out, int room);

double fixture_worse(double, double);           /* the larger one; NaN if either is */

/* The largest |got - want| over the largest |want|; the difference itself where all of want is 0.  NaN if any is.
 * _of: divides by max(largest |want|, min_norm). */
double fixture_distance(const double *got, const double *want, size_t count);
double fixture_distance_of(const double *got, const double *want, size_t count, double min_norm);
#endif
