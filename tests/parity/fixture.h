/* tests/parity/fixture.h -- fixtures that are safetensors files: tensors widened to what a comparison wants, case
 * parameters from the metadata.  Everything handed out is released by tensors_free. */
#ifndef FIXTURE_H
#define FIXTURE_H
#include "interop/tensors.h"
#include "parity.h"

/* False, and a failure reported, if the file cannot be read.  tensors_free either way. */
bool fixture_open(struct tensors *, struct parity *, const char *path);

/* All elements of a tensor, or NULL if the file has none of this name. */
double *fixture_doubles(struct tensors *, const char *name);
float *fixture_floats(struct tensors *, const char *name);
int *fixture_ints(struct tensors *, const char *name);
int fixture_extent(const struct tensors *, const char *name, int axis);        /* 0 if there is no such */

/* A number, or the numbers of a list, of the metadata; fallback or 0 if it is not there. */
double fixture_number(const struct tensors *, const char *key, double fallback);
int fixture_list(const struct tensors *, const char *key, int *out, int room);

/* The largest |got - want| over the largest |want|; the difference itself where all of want is 0.  NaN if any is. */
double fixture_distance(const double *got, const double *want, size_t count);
#endif
