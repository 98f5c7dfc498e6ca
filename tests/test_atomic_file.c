/* tests/test_atomic_file.c -- atomic replacement of files, through links, without leftover temporary files. */
#include "base/atomic_file.h"
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "same_file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* fsync of folders fails with this; 0: it does not.  These definitions come before those of the C library. */
static int folder_error;
int fsync(int fd)
{
    struct stat info;
    if (folder_error && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = folder_error;
        return -1;
    }
    return 0;
}

static void assert_content(const char *name, const char *text)
{
    struct bytes file = contents(name);
    assert_string_equal((const char *)file.p, text);
    bytes_free(&file);
}

static int files_in(const char *path)
{
    struct string_list names = {0};
    assert_true(folder_list(&names, path, NULL));
    const int count = names.count;
    string_list_free(&names);
    return count;
}

static void write_text(const char *name, const char *text)
{
    struct error err = {0};
    if (!file_write(in_folder(name), text, strlen(text), &err))
        fail_msg("%s", err.text);
}

static unsigned mode_of(const char *name)
{
    struct stat info;
    assert_int_equal(stat(in_folder(name), &info), 0);
    return info.st_mode & 07777;
}

static void files_are_replaced_atomically(void **state)
{
    struct error err = {0};
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct atomic_file f;
        assert_true(atomic_open(&f, in_folder("list"), &err));
        fputs("one\n", f.out);
        assert_true(atomic_write(&f, "two\n", 4, &err));
        assert_true(!file_exists(in_folder("list")) && files_in(folder) == 1);
        assert_true(!keep || atomic_commit(&f, &err));
        atomic_close(&f);
        assert_int_equal(files_in(folder), keep);
    }
    assert_content("list", "one\ntwo\n");
    assert_false(file_write("/no/folder/x", "x", 1, &err));
    assert_non_null(strstr(err.text, "/no/folder/x: No such file"));
    assert_false(file_write(folder, "x", 1, &err));
    assert_non_null(strstr(err.text, "is a folder"));
}

/* Another user knows the name of the output and creates a link with the name of a temporary file. */
static void temporary_files_follow_no_links(void **state)
{
    (void)state;
    write_text("victim", "mine");
    assert_int_equal(symlink(in_folder("victim"), in_folder("out.json.tmp")), 0);
    write_text("out.json", "new");
    assert_content("victim", "mine");
    assert_content("out.json", "new");
}

static void a_link_is_replaced_at_its_target(void **state)
{
    struct stat info;
    struct error err = {0};
    (void)state;
    assert_true(make_folders(in_folder("far/away"), &err));
    write_text("far/away/file", "old");
    assert_true(symlink("away/file", in_folder("far/next")) == 0 && symlink("far/next", in_folder("first")) == 0
                && symlink("far/away/new", in_folder("dangling")) == 0 && symlink("loop", in_folder("loop")) == 0);
    write_text("first", "new");
    assert_content("far/away/file", "new");
    assert_true(lstat(in_folder("first"), &info) == 0 && S_ISLNK(info.st_mode));
    assert_true(lstat(in_folder("far/next"), &info) == 0 && S_ISLNK(info.st_mode));
    write_text("dangling", "made");
    assert_content("far/away/new", "made");
    assert_int_equal(files_in(in_folder("far/away")), 2);
    assert_false(file_write(in_folder("loop"), "x", 1, &err));
    assert_non_null(strstr(err.text, "symbolic links"));
}

static void a_replaced_file_keeps_its_permissions(void **state)
{
    static const mode_t modes[] = { 0600, 0666, 0444, 0755, 0640 };
    (void)state;
    const mode_t before = umask(027);
    write_text("new", "x");
    assert_int_equal(mode_of("new"), 0640);
    assert_int_equal(symlink("new", in_folder("link")), 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(in_folder("new"), modes[i]), 0);
        write_text("link", "y");
        assert_int_equal(mode_of("new"), modes[i]);
    }
    umask(before);
}

/* Devices, FIFOs and open files of the process are written directly, not replaced. */
static void special_files_are_written_directly(void **state)
{
    struct error err = {0};
    struct stat info;
    char got[8] = "", own[40];
    (void)state;
    assert_true(mkfifo(in_folder("pipe"), 0600) == 0 && symlink("/dev/full", in_folder("full")) == 0
                && symlink("/dev/null", in_folder("null")) == 0);
    const int end = open(in_folder("pipe"), O_RDWR | O_NONBLOCK);
    write_text("pipe", "one");
    assert_int_equal(read(end, got, sizeof got), 3);
    assert_string_equal(got, "one");
    close(end);
    write_text("null", "x");
    assert_true(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    assert_false(file_write(in_folder("full"), "x", 1, &err));
    assert_non_null(strstr(err.text, strerror(ENOSPC)));
    const int log = open(in_folder("log"), O_RDWR | O_CREAT, 0666);
    assert_int_equal(write(log, "before ", 7), 7);
    snprintf(own, sizeof own, "/dev/fd/%d", log);
    assert_true(file_write(own, "here ", 5, &err));
    assert_int_equal(write(log, "after", 5), 5);
    close(log);
    assert_content("log", "before here after");
    assert_int_equal(files_in(folder), 4);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rlimit limit, small;
    struct error err = {0};
    static const char large[100000];
    (void)state;
    write_text("file", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){ 5000, limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const bool ok = file_write(in_folder("file"), large, sizeof large, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(ok);
    assert_non_null(strstr(err.text, "file: File too large"));
    assert_content("file", "old");
    assert_int_equal(files_in(folder), 1);
}

static void unsynced_folders_are_reported(void **state)
{
    static const int unable[] = { EINVAL, ENOTSUP, EROFS };
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof unable / sizeof *unable; i++) {
        folder_error = unable[i];
        write_text("file", "x");
    }
    folder_error = EIO;
    const bool ok = file_write(in_folder("file"), "new", 3, &err);
    folder_error = 0;
    assert_false(ok);
    assert_non_null(strstr(err.text, "its folder cannot be synced"));
    assert_content("file", "new");
    assert_int_equal(files_in(folder), 1);
}

static void stale_temporary_files_are_removed(void **state)
{
    static const char *const kept[] = { "out.json", "out.json.tmp", "out.json.0123456789abcdef.tmp2",
                                        "out.json.0123456789ABCDEF.tmp", "other.0123456789abcdef.tmp" };
    struct error err = {0};
    struct atomic_file killed;
    (void)state;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        write_text(kept[i], "x");
    write_text("out.json.0123456789abcdef.tmp", "x");
    assert_true(atomic_open(&killed, in_folder("out.json"), &err));
    assert_int_equal(files_in(folder), 7);
    assert_true(atomic_remove_stale(in_folder("out.json"), &err));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_true(file_exists(in_folder(kept[i])));
    assert_int_equal(files_in(folder), 5);
    atomic_close(&killed);
    assert_true(atomic_remove_stale("no_such_file", &err));
    assert_false(atomic_remove_stale("/no/folder/x", &err));
}

/* Names of 255 bytes cannot get a suffix. */
static void names_of_any_length_are_written(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = 0;
    write_text(name, "x");
    assert_content(name, "x");
}

static void same_target_follows_links(void **state)
{
    struct error err = {0};
    char slash[100];
    (void)state;
    assert_true(make_folders(in_folder("sub"), &err));
    write_text("sub/a", "x");
    write_text("b", "x");
    assert_true(link(in_folder("sub/a"), in_folder("hard")) == 0 && symlink("sub/a", in_folder("soft")) == 0
                && symlink("sub/new", in_folder("dangling")) == 0 && symlink("sub", in_folder("folder")) == 0);
    assert_true(same_target(in_folder("sub/a"), in_folder("hard")));
    assert_true(same_target(in_folder("soft"), in_folder("folder/../sub/a")));
    assert_true(same_target(in_folder("dangling"), in_folder("folder/new")));
    snprintf(slash, sizeof slash, "%s/", in_folder("sub"));
    assert_true(same_target(in_folder("folder"), slash));
    assert_false(same_target(in_folder("sub/a"), in_folder("b")));
    assert_false(same_target(in_folder("sub/new"), in_folder("new")));
    assert_false(same_target(in_folder("new"), in_folder("newer")));
    assert_false(same_target("/dev/null", "/dev/../dev/null"));
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(files_are_replaced_atomically),
        IN_A_FOLDER(temporary_files_follow_no_links),
        IN_A_FOLDER(a_link_is_replaced_at_its_target),
        IN_A_FOLDER(a_replaced_file_keeps_its_permissions),
        IN_A_FOLDER(special_files_are_written_directly),
        IN_A_FOLDER(a_full_disk_leaves_the_old_file),
        IN_A_FOLDER(unsynced_folders_are_reported),
        IN_A_FOLDER(stale_temporary_files_are_removed),
        IN_A_FOLDER(names_of_any_length_are_written),
        IN_A_FOLDER(same_target_follows_links) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
