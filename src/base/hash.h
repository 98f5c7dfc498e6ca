/* base/hash.h -- FNV-1a of 64 bits: detects different contents; not safe against deliberate collisions. */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_bytes(uint64_t hash, const void *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)p)[i]) * UINT64_C(0x100000001b3);
    return hash;
}
#endif
