/* tests/sanitized.h -- sanitizers look for errors of memory and threads, and make tests many times slower: loops over
 * similar cases take every SAMPLE-th there. */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#ifdef SANITIZED
enum { SAMPLE = 4 };
#else
enum { SAMPLE = 1 };
#endif
#endif
