/* interop/safetensors.h -- 8 bytes N, little-endian; N bytes of JSON; the data of all tensors, without holes.
 * Source: the format's own specification (huggingface/safetensors, "Format").
 *
 * The metadata "nanodet.crc32" is a checksum, which safetensors_write adds and the readers verify where it is given:
 * eight hexadecimal digits, the sum modulo 2^32 of the CRC-32 (RFC 1952, zlib's crc32) of every other entry.  The
 * entry of metadata is its key and its value; that of a tensor is its name, its dtype, each of its extents in decimal
 * and its data; each text ends with a 0 byte.  The sum does not depend on the order of the entries.  It finds every
 * change of a single bit, and all but one in 2^32 of other changes. */
#ifndef INTEROP_SAFETENSORS_H
#define INTEROP_SAFETENSORS_H
#include "base/file.h"
#include "interop/tensors.h"

bool is_safetensors(struct bytes file);         /* JSON begins where it should; more is not checked */

/* The tensors of a file held in memory, in the order of its header, and its metadata; they point into file, which
 * the caller keeps alive.  Refuses what the format forbids (two tensors of one name, overlaps and holes), and content
 * that does not have its checksum.  path is for messages.  After a failure out holds what had been read; tensors_free
 * releases it either way. */
bool safetensors_index(struct tensors *out, struct bytes file, const char *path, struct error *);

/* The same of a file on disk; out owns its bytes. */
bool safetensors_read(struct tensors *out, const char *path, struct error *);

/* Writes tensors and metadata in their order, the checksum first; equal input gives equal bytes.  A checksum in t is
 * left out.  The file appears whole or not at all.  Indexes t.  Fails if two tensors have one name. */
bool safetensors_write(const char *path, struct tensors *t, struct error *);
#endif
