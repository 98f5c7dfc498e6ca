/* tests/test_base.c -- errors, sizes, arenas, files, tables, random numbers and the thread pool. */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "base/team.h"
#include "folder.h"
#include "sample.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- error ---- */

static void test_error(void **state)
{
    struct error err = {0};
    char longer[2 * sizeof err.text];
    (void)state;
    assert_false((fail)(&err, "%s: %d", "a.yml", 12));              /* in brackets: cmocka has a macro of this name */
    assert_int_equal(err.exit, 1);
    assert_string_equal(err.text, "a.yml: 12");
    assert_false(misuse(&err, "no such key"));
    assert_int_equal(err.exit, 2);
    assert_string_equal(err.text, "no such key");
    assert_false((fail)(NULL, "nobody listens"));
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_false((fail)(&err, "%s", longer));
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

/* ---- memory ---- */

static void test_sizes(void **state)
{
    static const struct { size_t a, b; bool sum, product; } cases[] = {
        { 0, 0, true, true }, { 0, SIZE_MAX, true, true }, { SIZE_MAX, 0, true, true }, { SIZE_MAX, 1, false, true },
        { 1, SIZE_MAX, false, true }, { SIZE_MAX / 2, 2, true, true }, { SIZE_MAX / 2 + 1, 2, true, false },
        { SIZE_MAX, SIZE_MAX, false, false }, { 3, 5, true, true } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t sum = 77, product = 77;
        assert_int_equal(checked_add(cases[i].a, cases[i].b, &sum), cases[i].sum);
        assert_int_equal(checked_mul(cases[i].a, cases[i].b, &product), cases[i].product);
        assert_true(sum == (cases[i].sum ? cases[i].a + cases[i].b : 77));
        assert_true(product == (cases[i].product ? cases[i].a * cases[i].b : 77));
    }
}

static void test_arrays(void **state)
{
    struct error err = {0};
    int *list = NULL, capacity = 0;
    (void)state;
    double *zeros = new_array(1000, sizeof *zeros, &err);
    for (int i = 0; i < 1000; i++)
        assert_true(zeros[i] == 0);
    free(zeros);
    void *nothing = new_array(0, 8, &err);
    assert_non_null(nothing);
    free(nothing);
    assert_null(new_array(SIZE_MAX / 4, 8, &err));
    assert_int_equal(err.exit, 1);
    for (int i = 0; i < 1000; i++) {
        assert_true(grow_array(&list, i, &capacity, sizeof *list, &err));
        assert_true(capacity > i);
        list[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    int *const before = list;
    const int had = capacity;
    assert_false(grow_array(&list, had, &capacity, SIZE_MAX / 64, &err));
    assert_ptr_equal(list, before);
    assert_int_equal(capacity, had);
    free(list);
    char *text = new_text("name", &err);
    assert_string_equal(text, "name");
    free(text);
}

static void test_arena(void **state)
{
    struct arena arena = {0};
    struct error err = {0};
    (void)state;
    assert_true(arena_init(&arena, arena_bytes(3, 1) + arena_bytes(10, 8) + arena_bytes(1, 4), &err));
    char *a = arena_take(&arena, 3, 1);
    const size_t mark = arena.used;
    double *b = arena_take(&arena, 10, 8);
    float *c = arena_take(&arena, 1, 4);
    assert_true(a && b && c && (uintptr_t)a % 64 == 0 && (uintptr_t)b % 64 == 0 && (uintptr_t)c % 64 == 0);
    assert_true(a + 3 <= (char *)b && b + 10 <= (double *)(void *)c);
    const size_t used = arena.used;
    assert_null(arena_take(&arena, 1000, 1));
    assert_null(arena_take(&arena, SIZE_MAX, 2));
    assert_int_equal(arena.used, used);
    arena.used = mark;
    assert_ptr_equal(arena_take(&arena, 10, 8), b);
    arena_free(&arena);
    arena_free(&arena);
    assert_null(arena_take(&arena, 1, 1));
    assert_true(arena_bytes(SIZE_MAX, 2) == SIZE_MAX && arena_bytes(SIZE_MAX, 1) == SIZE_MAX);
    assert_false(arena_init(&arena, SIZE_MAX, &err));
}

/* ---- file ---- */

static void test_files(void **state)
{
    struct error err = {0};
    struct bytes bytes = {0};
    struct string_list names = {0};
    (void)state;
    char *deep = path_join(folder, "a/b/c", &err), *file = path_join(deep, "file", &err);
    char data[100000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    assert_false(file_write(file, data, sizeof data, &err));        /* no such folder */
    assert_int_equal(err.exit, 1);
    assert_true(make_folders(deep, &err) && make_folders(deep, &err));
    assert_true(folder_exists(deep) && !file_exists(deep) && !file_exists(file));
    assert_true(file_write(file, "old", 3, &err) && file_write(file, data, sizeof data, &err));
    assert_true(file_exists(file) && !folder_exists(file));
    assert_true(file_read(&bytes, file, &err));
    assert_int_equal(bytes.size, sizeof data);
    assert_memory_equal(bytes.p, data, sizeof data);
    assert_int_equal(bytes.p[bytes.size], 0);
    bytes_free(&bytes);
    assert_true(file_write(file, NULL, 0, &err) && file_read(&bytes, file, &err));
    assert_int_equal(bytes.size, 0);
    assert_int_equal(bytes.p[0], 0);
    bytes_free(&bytes);
    assert_false(file_read(&bytes, deep, &err));
    assert_null(bytes.p);
    assert_false(file_write(deep, "x", 1, &err));                   /* a folder: nothing is left beside it */
    assert_false(make_folders(file, &err));
    assert_true(folder_list(&names, deep, &err));
    assert_int_equal(names.count, 1);
    assert_string_equal(names.list[0], "file");
    string_list_free(&names);
    assert_false(folder_list(&names, file, &err));
    assert_false(file_write("/dev/full/x", "x", 1, &err));
    free(file);
    free(deep);
}

static void test_names(void **state)
{
    static const char *const given[] = { "b", "B", "a10", "a2", "", "a" };
    static const char *const sorted[] = { "", "B", "a", "a10", "a2", "b" };
    struct string_list names = {0};
    (void)state;
    string_list_sort(&names);
    for (int i = 0; i < 6; i++)
        assert_true(string_list_add(&names, given[i], NULL));
    string_list_sort(&names);
    for (int i = 0; i < 6; i++)
        assert_string_equal(names.list[i], sorted[i]);
    string_list_free(&names);
}

static void test_text(void **state)
{
    struct strbuf text = {0};
    struct error err = {0};
    char long_word[1000];
    (void)state;
    memset(long_word, 'y', sizeof long_word);
    long_word[sizeof long_word - 1] = 0;
    strbuf_addf(&text, "%d", 12);
    strbuf_addf(&text, "%s", long_word);
    strbuf_add(&text, "z", 1);
    assert_true(strbuf_check(&text, &err));
    assert_int_equal(text.size, 2 + 999 + 1);
    assert_int_equal(strlen(text.s), text.size);
    strbuf_add(&text, "z", SIZE_MAX - 5);
    strbuf_addf(&text, "later calls do nothing");
    assert_int_equal(text.size, 2 + 999 + 1);
    assert_false(strbuf_check(&text, &err));
    strbuf_free(&text);
}

static void test_paths(void **state)
{
    static const char *const cases[][3] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" }, { "a", "/b", "/b" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = path_join(cases[i][0], cases[i][1], NULL);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

/* ---- json ---- */

/* A printed JSON is UTF-8 without control characters, for any strings. */
static void test_json_prints_any_string(void **state)
{
    static const struct { const char *string, *json; } cases[] = {
        { "", "\"\"" }, { "a\"b\\c/\n\x1b", "\"a\\\"b\\\\c/\\n\\u001b\"" }, { "\xc3\xa9\\", "\"\xc3\xa9\\\\\"" },
        { "\x7f\xc2\x9b\xe2\x80\xae", "\"\\u007f\\u009b\\u202e\"" }, { "50%\xe9\"", "\"50%25%E9\\\"\"" },
        { "50%25", "\"50%25\"" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf t = {0};
        json_add_string(&t, cases[i].string);
        assert_string_equal(t.s, cases[i].json);
        strbuf_free(&t);
    }
    cJSON *json = cJSON_CreateObject();
    assert_true(cJSON_AddStringToObject(json, "k\xff\"", "v") && cJSON_AddNumberToObject(json, "", -1.5));
    char *printed = json_print(json);
    assert_string_equal(printed, "{\"k%FF\\\"\":\"v\",\"\":-1.5}");
    assert_null(json_print(NULL));
    free(printed);
    cJSON_Delete(json);
}

static void test_json_add_owns_the_item(void **state)
{
    cJSON *object = cJSON_CreateObject(), *list = json_add(object, "list", cJSON_CreateArray());
    (void)state;
    assert_non_null(json_add(list, NULL, cJSON_CreateNumber(1)));
    assert_null(json_add(list, NULL, NULL));
    assert_null(json_add(NULL, NULL, cJSON_CreateNumber(2)));       /* leak checkers see an item that is not deleted */
    assert_null(json_add(NULL, "name", cJSON_CreateNumber(3)));
    char *printed = json_print(object);
    assert_string_equal(printed, "{\"list\":[1]}");
    free(printed);
    cJSON_Delete(object);
}

static void test_json_numbers(void **state)
{
    static const struct { const char *text; bool real, whole; } cases[] = {
        { "3", true, true }, { "-2.5", true, false }, { "1e400", false, false }, { "3000000000", true, false },
        { "\"3\"", false, false }, { "null", false, false }, { "[3]", false, false } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        cJSON *json = json_parse(cases[i].text, strlen(cases[i].text), "a.json", &err);
        double x = 77;
        int n = 77;
        if (!json)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(json_real(json, &x), cases[i].real);
        assert_int_equal(json_int(json, &n), cases[i].whole);
        assert_true((x == 77) == !cases[i].real && (n == 77) == !cases[i].whole);
        cJSON_Delete(json);
    }
}

/* ---- table ---- */

static void test_tables(void **state)
{
    static const struct row { const char *name; int value; } rows[] = {
        { "train", 1 }, { "test", 2 }, { "predict", 3 }, {0} }, none[] = { {0} };
    (void)state;
    const struct row *row = find_row("test", rows, sizeof *rows);
    assert_ptr_equal(row, &rows[1]);
    assert_null(find_row("tes", rows, sizeof *rows));
    assert_null(find_row("", rows, sizeof *rows));
    assert_string_equal(nearest_name("tset", rows, sizeof *rows), "test");          /* neighbours swapped: one edit */
    assert_string_equal(nearest_name("trian", rows, sizeof *rows), "train");
    assert_string_equal(nearest_name("predictions", rows, sizeof *rows), "predict");
    assert_string_equal(nearest_name("x", none, sizeof *none), "");
    char longest[500];
    memset(longest, 'p', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_non_null(nearest_name(longest, rows, sizeof *rows));
}

/* ---- random ---- */

static void test_random_depends_on_key(void **state)
{
    (void)state;
    const struct random a = random_of(1, 2, 3);
    assert_true(a.state == random_of(1, 2, 3).state);
    assert_true(a.state != random_of(2, 2, 3).state && a.state != random_of(1, 3, 3).state
                && a.state != random_of(1, 2, 4).state && a.state != random_of(1, 3, 2).state);
}

/* Chi-squared of equally likely cells: its mean is cells - 1, its deviation sqrt(2 (cells - 1)). */
static void test_random_is_uniform(void **state)
{
    enum { CELLS = 10, DRAWS = 100000 };
    int below[CELLS] = {0}, unit[CELLS] = {0}, place[CELLS] = {0}, order[CELLS];
    double chi[3] = {0}, mean = 0, square = 0;
    struct random r = random_of(5, 0, 0);
    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        const double u = random_unit(&r), z = random_normal(&r), v = random_range(&r, -2, 3);
        assert_true(u >= 0 && u < 1 && v >= -2 && v < 3);
        mean += z / DRAWS;
        square += z * z / DRAWS;
        below[random_below(&r, CELLS)]++;
        unit[(int)(u * CELLS)]++;
        random_permutation(&r, CELLS, order);
        for (int k = 0; k < CELLS; k++)
            place[k] += order[k] == 0;
    }
    for (int k = 0; k < CELLS; k++) {
        const double want = DRAWS / (double)CELLS;
        chi[0] += pow(below[k] - want, 2) / want;
        chi[1] += pow(unit[k] - want, 2) / want;
        chi[2] += pow(place[k] - want, 2) / want;
    }
    for (int i = 0; i < 3; i++)
        assert_true(chi[i] < CELLS - 1 + 5 * sqrt(2 * (CELLS - 1)));
    assert_true(fabs(mean) < 5 / sqrt(DRAWS) && fabs(square - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_int_equal(random_below(&r, 1), 0);
}

static void test_permutations(void **state)
{
    struct random r = random_of(6, 0, 0);
    (void)state;
    for (int n = 0; n < 50; n++) {
        int order[50], seen[50] = {0};
        random_permutation(&r, n, order);
        for (int i = 0; i < n; i++)
            assert_int_equal(seen[order[i]]++, 0);
    }
}

/* ---- team ---- */

enum { CHUNKS = 1000 };

struct count { atomic_int runs[CHUNKS], strangers; int threads; };

static void count_chunk(const void *job, int chunk)
{
    struct count *c = *(struct count *const *)job;
    atomic_fetch_add(&c->runs[chunk], 1);
    if (team_thread() < 0 || team_thread() >= c->threads)
        atomic_fetch_add(&c->strangers, 1);
}

/* Jobs of `threads` threads, each chunk once and by a thread of the team. */
static bool count_right(int threads, int chunks)
{
    static _Thread_local struct count c;
    struct count *const job = &c;
    const struct team team = { threads };
    bool right = true;
    c.threads = threads;
    atomic_store(&c.strangers, 0);
    for (int i = 0; i < chunks; i++)
        atomic_store(&c.runs[i], 0);
    team_for(&team, chunks, count_chunk, &job);
    for (int i = 0; i < chunks; i++)
        right = right && atomic_load(&c.runs[i]) == 1;
    return right && atomic_load(&c.strangers) == 0;
}

static void test_team_runs_each_chunk_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 40; threads += threads < 8 ? 1 : 8)
        for (int chunks = 0; chunks <= CHUNKS; chunks = 2 * chunks + 1)
            assert_true(count_right(threads, chunks));
}

/* More threads than a job can have. */
static void test_team_has_a_limit(void **state)
{
    (void)state;
    for (int threads = TEAM_MAX; threads <= 4 * TEAM_MAX; threads *= 2)
        assert_true(count_right(threads, CHUNKS));
}

/* Short jobs of teams of different sizes, one right after the other: late threads of one job meet the next job. */
static void test_team_many_short_jobs(void **state)
{
    (void)state;
    for (int i = 0; i < 20000 / SAMPLE; i++)
        assert_true(count_right(1 + i * 7 % 8, 1 + i % 9));
}

/* Jobs in a region, of its own number of threads and of others. */
static void many_in_region(void *right)
{
    for (int i = 0; i < 500; i++)
        *(bool *)right = *(bool *)right && count_right(4, 1 + i % 50) && count_right(1 + i % 8, 20);
}

static void test_team_many_jobs_in_a_region(void **state)
{
    bool right = true;
    (void)state;
    team_run(&(struct team){ 4 }, many_in_region, &right);
    assert_true(right);
}

static pthread_barrier_t both_done;

static void *many_jobs(void *failed)
{
    for (int i = 0; i < 3000; i++)
        *(int *)failed += !count_right(1 + i % 8, 1 + i % 50);
    pthread_barrier_wait(&both_done);
    return NULL;
}

/* The last test of teams: libomp may crash in work after one of the threads that called it has ended. */

static void test_team_from_two_threads(void **state)
{
    pthread_t other;
    int failed[2] = {0};
    (void)state;
    pthread_barrier_init(&both_done, NULL, 2);
    assert_int_equal(pthread_create(&other, NULL, many_jobs, &failed[0]), 0);
    many_jobs(&failed[1]);
    pthread_join(other, NULL);
    assert_int_equal(failed[0] + failed[1], 0);
}

/* The results of a body are visible when team_for returns, without atomics in the body. */
static void square_chunk(const void *job, int chunk)
{
    (*(double *const *)job)[chunk] = (double)chunk * chunk;
}

static void test_team_results_are_visible(void **state)
{
    static double squares[CHUNKS];
    double *const job = squares;
    (void)state;
    for (int round = 0; round < 200; round++) {
        memset(squares, 0, sizeof squares);
        team_for(&(struct team){ 4 }, CHUNKS, square_chunk, &job);
        for (int i = 0; i < CHUNKS; i++)
            assert_true(squares[i] == (double)i * i);
    }
}

static void test_default_threads(void **state)
{
    (void)state;
    assert_true(default_threads() >= 1 && default_threads() <= TEAM_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_arena),
        cmocka_unit_test_setup_teardown(test_files, make_folder, remove_folder),
        cmocka_unit_test(test_names), cmocka_unit_test(test_text), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_json_numbers), cmocka_unit_test(test_json_prints_any_string),
        cmocka_unit_test(test_json_add_owns_the_item),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_random_depends_on_key), cmocka_unit_test(test_random_is_uniform),
        cmocka_unit_test(test_permutations),
        cmocka_unit_test(test_team_runs_each_chunk_once),
        cmocka_unit_test(test_team_has_a_limit),
        cmocka_unit_test(test_team_many_short_jobs),
        cmocka_unit_test(test_team_many_jobs_in_a_region),
        cmocka_unit_test(test_team_results_are_visible),
        cmocka_unit_test(test_team_from_two_threads),
        cmocka_unit_test(test_default_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
