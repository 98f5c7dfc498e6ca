/* base/hash.h -- FNV-1a of 64 bits: tells contents apart, not safe against those who look for two that collide. */
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
