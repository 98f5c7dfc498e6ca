/* base/random.h -- random numbers that depend only on a key, never on the thread or the order of calls.
 * The generator is SplitMix64 (Steele, Lea, Flood 2014). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
#include <stdint.h>

struct random { uint64_t state; };

/* An independent stream for each key, such as (seed, epoch, index) or (seed, step, node). */
struct random random_of(uint64_t seed, uint64_t a, uint64_t b);
uint64_t random_bits(struct random *);
double random_unit(struct random *);                            /* [0, 1), 53 bits */
double random_range(struct random *, double low, double high);  /* low + (high - low) * unit */
double random_normal(struct random *);                          /* mean 0, deviation 1 */
int random_below(struct random *, int n);                       /* uniform in 0 .. n-1; n >= 1 */
void random_permutation(struct random *, int n, int *out);      /* of 0 .. n-1 */
#endif
