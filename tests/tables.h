/* tests/tables.h -- the table of kernels under test: the one that NANODET_ISA names, else the fastest of this machine.
 * scripts/test.sh runs every test that includes this file once per table that the machine has.  A bound that depends on
 * the order in which a table adds belongs to that table; all other bounds hold for every table. */
#ifndef TESTS_TABLES_H
#define TESTS_TABLES_H
#include "kernel/kernels.h"
#include <stdio.h>
#include <stdlib.h>

/* Builds in double have the plain table alone. */
static inline const struct kernels *table_under_test(void)
{
    struct error err = {0};
#ifdef REAL_IS_DOUBLE
    const struct kernels *table = kernels_pick("ref", &err);
#else
    const struct kernels *table = kernels_pick(getenv("NANODET_ISA"), &err);
#endif
    if (!table) {
        printf("%s\n", err.text);
        exit(1);
    }
    return table;
}

static inline const struct kernels *plain_table(void) { return kernels_pick("ref", NULL); }

/* For tests that compare the two; they skip the plain table itself. */
static inline bool plain_is_under_test(void)
{
    if (table_under_test() == plain_table())
        printf("ref: the other tables are compared with this one\n");
    return table_under_test() == plain_table();
}
#endif
