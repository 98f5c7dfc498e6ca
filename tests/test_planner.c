/* tests/test_planner.c -- memory plans of random lists of items: the three invariants of graph/planner.h, and the
 * size of the plans against the bound. */
#include "base/random.h"
#include "graph/planner.h"
#include "seed.h"
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 200, LISTS = 300 };

static size_t whole(size_t size) { return (size + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN; }

/* Sizes from 0 to 1 MB, most of them small; a tenth is never in use. */
static int random_items(struct random *r, struct item *items)
{
    const int count = random_below(r, ITEMS + 1), times = 1 + random_below(r, 60);
    for (int i = 0; i < count; i++) {
        const int from = random_below(r, times), length = random_below(r, times);
        items[i] = (struct item){ .size = (size_t)random_below(r, 1 << random_below(r, 21)), .from = from,
                                  .to = from + length, .offset = SIZE_MAX };
        if (random_below(r, 10) == 0)
            items[i].to = from - 1 - length;
    }
    return count;
}

static bool in_use(const struct item *i, int time) { return i->from <= time && time <= i->to; }

static bool share_a_time(const struct item *a, const struct item *b)
{
    for (int time = a->from; time <= a->to; time++)
        if (in_use(b, time))
            return true;
    return false;
}

static size_t most_at_one_time(const struct item *items, int count)
{
    size_t most = 0;
    for (int time = 0; time < 130; time++) {
        size_t sum = 0;
        for (int i = 0; i < count; i++)
            sum += in_use(&items[i], time) ? whole(items[i].size) : 0;
        most = sum > most ? sum : most;
    }
    return most;
}

static const char *fault(const struct item *items, int count, size_t block, size_t bound)
{
    size_t end = 0;
    if (bound != most_at_one_time(items, count))
        return "the bound is not the most in use at one time";
    for (int i = 0; i < count; i++) {
        const struct item *a = &items[i];
        if (a->from > a->to)
            continue;
        if (a->offset % PLAN_ALIGN || a->offset > block || a->size > block - a->offset)
            return "an item is not aligned, or not within the block";
        end = a->offset + whole(a->size) > end ? a->offset + whole(a->size) : end;
        for (int j = 0; j < i; j++)
            if (share_a_time(a, &items[j]) && a->offset < items[j].offset + items[j].size
                && items[j].offset < a->offset + a->size)
                return "two items share a time and a byte";
    }
    return end != block || block < bound ? "the block is not the end of the last item" : NULL;
}

static void test_random_lists(void **state)
{
    static struct item items[ITEMS], again[ITEMS];
    double blocks = 0, bounds = 0;
    (void)state;
    for (uint64_t list = 0; list < LISTS; list++) {
        struct random r = random_of(seed(), list, 0);
        struct error err = {0};
        size_t block, bound, block_again;
        const int count = random_items(&r, items);
        memcpy(again, items, sizeof again);
        const char *wrong = !plan(items, count, &block, &bound, &err) ? err.text : fault(items, count, block, bound);
        if (!wrong && (!plan(again, count, &block_again, &bound, &err) || block_again != block
                       || memcmp(again, items, (size_t)count * sizeof *items) != 0))
            wrong = "equal lists give different plans";
        if (wrong)
            fail_msg("list %" PRIu64 ": %s; SEED=%" PRIu64, list, wrong, seed());
        blocks += (double)block;
        bounds += (double)bound;
    }
    if (blocks > 1.05 * bounds)
        fail_msg("plans take %.3f times the bound", blocks / bounds);
}

/* A chain of layers: each value lives until the next one exists, so two locations suffice. */
static void test_chain(void **state)
{
    struct item items[10];
    size_t block, bound;
    (void)state;
    for (int i = 0; i < 10; i++)
        items[i] = (struct item){ .size = 1000, .from = i, .to = i + 1 };
    assert_true(plan(items, 10, &block, &bound, NULL));
    assert_int_equal(block, 2 * 1024);
    assert_int_equal(bound, 2 * 1024);
}

/* Pairs of large things, and small ones that last from one pair to the next: largest first leaves the pairs side
 * by side below, and each second small one without a place, unless it comes before them. */
static void test_blocking_item(void **state)
{
    struct item items[12];
    size_t block, bound;
    (void)state;
    for (int i = 0; i < 4; i++) {
        items[3 * i] = (struct item){ .size = 4096, .from = 3 * i + 1, .to = 3 * i + 2 };
        items[3 * i + 1] = items[3 * i];
        items[3 * i + 2] = (struct item){ .size = 1024, .from = 3 * i, .to = 3 * i + 3 };
    }
    assert_true(plan(items, 12, &block, &bound, NULL));
    assert_int_equal(bound, 2 * 4096 + 1024);
    assert_int_equal(block, bound);
}

/* Items that are never in use take no memory and do not block others. */
static void test_never_in_use(void **state)
{
    struct item items[] = { { .size = 4096, .from = INT_MAX, .to = INT_MIN }, { .size = 4096, .from = 5, .to = 3 },
                            { .size = 64, .from = 0, .to = 10 } };
    size_t block, bound;
    (void)state;
    assert_true(plan(items, 3, &block, &bound, NULL));
    assert_int_equal(block, 64);
    assert_int_equal(bound, 64);
    assert_true(plan(items, 0, &block, &bound, NULL));
    assert_int_equal(block, 0);
    assert_int_equal(bound, 0);
}

static void test_too_large(void **state)
{
    struct item items[] = { { .size = SIZE_MAX / 2 }, { .size = SIZE_MAX / 2 }, { .size = 1000 } };
    struct item alone = { .size = SIZE_MAX };
    struct error err = {0};
    size_t block, bound;
    (void)state;
    assert_false(plan(items, 3, &block, &bound, &err));
    assert_int_equal(err.exit, 1);
    assert_false(plan(&alone, 1, &block, &bound, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lists),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_blocking_item),
        cmocka_unit_test(test_never_in_use),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
