/* interop/tensors.h -- named tensors as weight files hold them: what every reader fills and every writer takes. */
#ifndef INTEROP_TENSORS_H
#define INTEROP_TENSORS_H
#include "base/error.h"
#include "base/file.h"
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_NONE, DTYPE_BOOL, DTYPE_U8, DTYPE_I8, DTYPE_U16, DTYPE_I16, DTYPE_U32, DTYPE_I32, DTYPE_U64, DTYPE_I64,
    DTYPE_F16, DTYPE_BF16, DTYPE_F32, DTYPE_F64
};
const char *dtype_name(enum dtype);             /* as safetensors writes it: "F32"; "none" */
enum dtype dtype_of(const char *name);          /* DTYPE_NONE if name is NULL or not the name of a type */
size_t dtype_bytes(enum dtype);                 /* of an element; 0 of DTYPE_NONE */

enum { RANK_MAX = 8 };

struct tensor {
    char *name;
    enum dtype dtype;
    int rank;                                   /* 0: a single number */
    size_t dims[RANK_MAX];                      /* outermost first, any of them may be 0 */
    const unsigned char *data;                  /* row-major, little-endian, at any alignment: read it by memcpy */
};

/* {0} is empty. */
struct tensors {
    struct tensor *list; int count, capacity;   /* in the order of the file */
    struct tensor **by_name;                    /* [count], made by tensors_index */
    struct metadata { char *key, *value; } *metadata; int metadata_count, metadata_capacity;
    struct bytes file;                          /* owned, as is each of blocks: what data may point into */
    void **blocks; int block_count, block_capacity;
};
void tensors_free(struct tensors *);

/* Appends a tensor; copies the name, borrows the data.  Fails if the size of the data does not fit in a size_t. */
bool tensors_add(struct tensors *, const struct tensor *, struct error *);
bool tensors_add_named(struct tensors *, const char *name, const struct tensor *, struct error *); /* another name */

/* Appends a vector of `count` floats, each of them `number`. */
bool tensors_add_constant(struct tensors *, const char *name, size_t count, double number, struct error *);

/* To be called when all are added: sorts by_name and refuses two tensors of one name. */
bool tensors_index(struct tensors *, const char *path, struct error *);
const struct tensor *tensors_find(const struct tensors *, const char *name);    /* after tensors_index; or NULL */

/* count x size zeroed bytes that tensors_free releases; NULL and an error if memory is short. */
void *tensors_block(struct tensors *, size_t count, size_t size, struct error *);

bool tensor_rename(struct tensor *, const char *name, struct error *);          /* copies the name */

bool tensors_add_metadata(struct tensors *, const char *key, const char *value, struct error *);
const char *tensors_metadata(const struct tensors *, const char *key);          /* or NULL */

size_t tensor_count(const struct tensor *);     /* elements */
size_t tensor_bytes(const struct tensor *);

/* All elements, whatever their dtype: exact where the type can hold them, rounded to nearest where it cannot. */
void tensor_floats(const struct tensor *, float *out);
void tensor_doubles(const struct tensor *, double *out);

uint16_t half_of(float);                        /* binary16, rounded to nearest even; too large: infinity */
#endif
