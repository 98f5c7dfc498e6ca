/* tests/test_save_dir.c -- a save_dir belongs to one training at a time; write failures there end a training. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "policy.h"
#include "same_file.h"
#include "there.h"
#include "tiny.h"
#include "train/save_dir.h"
#include "train/trainer.h"
#include "typed.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* flock fails with this; 0: it does not.  This definition comes before that of the C library. */
static int lock_error;
int flock(int fd, int operation)
{
    errno = lock_error;
    return lock_error ? -1 : (int)syscall(SYS_flock, fd, operation);
}

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

/* ---- runs ---- */

struct run { struct config config; struct trainer trainer; struct error err; };

static const char *override(const char *key, const char *name)
{
    static char texts[8][200];
    static int next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof *texts, "%s=%s", key, in_folder(name));
    return text;
}

static bool run_open(struct run *r, const char *save_dir, bool resume)
{
    const char *const overrides[] = { override("save_dir", save_dir), "log.interval=1" };
    const struct training_options options = { .policy = *policy_under_test(1), .resume = resume };
    *r = (struct run){0};
    return config_read(&r->config, in_folder("config.yml"), overrides, 2, &r->err)
        && trainer_open(&r->trainer, &r->config, &options, &r->err);
}

static void run_close(struct run *r)
{
    trainer_close(&r->trainer, NULL);
    config_free(&r->config);
}

/* Opens and runs; the end must be this. */
static void run_ends(const char *save_dir, bool resume, const char *failure)
{
    struct run r;
    const bool ok = run_open(&r, save_dir, resume) && trainer_run(&r.trainer, &r.err);
    if (ok != !failure || (failure && !strstr(r.err.text, failure)))
        fail_msg("%s: %s", save_dir, ok ? "no failure" : r.err.text);
    run_close(&r);
}

static void assert_same_results(const char *a, const char *b)
{
    static const char *const names[] = { "model_last.safetensors", "model_best/model_best.safetensors", "eval.csv" };
    for (int i = 0; i < 3; i++) {
        char x[100], y[100];
        snprintf(x, sizeof x, "%s/%s", a, names[i]);
        snprintf(y, sizeof y, "%s/%s", b, names[i]);
        assert_same_file(x, y);
    }
}

/* ---- the lock ---- */

static bool lock_run(FILE **lock, const char *save_dir, struct error *err)
{
    const char *const overrides[] = { override("save_dir", save_dir) };
    struct config config = {0};
    int unlocked;
    *lock = NULL;
    const bool ok = config_read(&config, in_folder("config.yml"), overrides, 1, err)
                 && save_dir_open(lock, &unlocked, &config, NULL, NULL, err);
    config_free(&config);
    return ok;
}

static void a_second_training_is_refused(void **state)
{
    struct error err = {0};
    FILE *lock;
    (void)state;
    must(lock_run(&lock, "locked", &err), &err);
    assert_true(fcntl(fileno(lock), F_GETFD) & FD_CLOEXEC);
    assert_true(file_write(in_folder("locked/train.log"), "theirs", 6, &err)
                && file_write(in_folder("locked/model_last.safetensors"), "theirs", 6, &err)
                && file_write(in_folder("locked/eval.csv.0123456789abcdef.tmp"), "theirs", 6, &err));
    refused(1, "another training is running in this save_dir", "train", in_folder("config.yml"),
            override("save_dir", "locked"), NULL);
    refused(1, "another training", "train", in_folder("config.yml"), "--resume", override("save_dir", "locked"), NULL);
    struct string_list names = {0};
    must(folder_list(&names, in_folder("locked"), &err), &err);
    assert_int_equal(names.count, 5);           /* with model_best and the lock */
    string_list_free(&names);
    assert_same_file("locked/train.log", "locked/model_last.safetensors");
    assert_int_equal(fclose(lock), 0);
    must(lock_run(&lock, "locked", &err), &err);
    assert_false(file_exists(in_folder("locked/eval.csv.0123456789abcdef.tmp")));
    assert_int_equal(fclose(lock), 0);
}

static void the_kernel_releases_the_lock_of_a_killed_process(void **state)
{
    struct error err = {0};
    FILE *lock;
    int ready[2], status;
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        if (lock_run(&lock, "killed", &err) && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);                            /* a child that fails ends the pipe */
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_false(lock_run(&lock, "killed", &err));
    if (lock)
        fclose(lock);
    assert_true(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    must(lock_run(&lock, "killed", &err), &err);
    fclose(lock);
}

static void a_file_system_without_locks_is_noted(void **state)
{
    (void)state;
    lock_error = ENOLCK;
    run_ends("unlocked", false, NULL);
    lock_error = EIO;
    run_ends("unlocked", false, "train.lock: Input/output error");
    lock_error = 0;
    struct bytes log = contents("unlocked/train.log");
    assert_non_null(strstr((const char *)log.p, "unlocked cannot be locked (No locks available)"));
    bytes_free(&log);
}

static void stale_temporary_files_are_deleted(void **state)
{
    static const char *const stale[] = { "stale/model_last.safetensors.0123456789abcdef.tmp",
                                         "stale/model_best/model_best.safetensors.00000000000000ff.tmp",
                                         "stale/config.yml.0123456789abcdef.tmp" };
    static const char *const others[] = { "stale/model_last.safetensors.tmp", "stale/mine.0123456789abcdef.tmp" };
    struct error err = {0};
    (void)state;
    assert_true(make_folders(in_folder("stale/model_best"), &err));
    for (int i = 0; i < 3; i++)
        assert_true(file_write(in_folder(stale[i]), "x", 1, &err));
    for (int i = 0; i < 2; i++)
        assert_true(file_write(in_folder(others[i]), "x", 1, &err));
    run_ends("stale", false, NULL);
    for (int i = 0; i < 3; i++)
        assert_false(file_exists(in_folder(stale[i])));
    for (int i = 0; i < 2; i++)
        assert_true(file_exists(in_folder(others[i])));
}

/* ---- inputs ---- */

static void no_input_is_overwritten(void **state)
{
    static const char *const old[] = { "in/model_last.safetensors.old", "in/model_best/model_best.safetensors.old" };
    struct error err = {0};
    struct bytes yaml = contents("config.yml");
    (void)state;
    assert_true(make_folders(in_folder("in/model_best"), &err));
    const char *const save_dir = override("save_dir", "in");
    must(file_write(in_folder("in/config.yml"), yaml.p, yaml.size, &err), &err);
    refused(2, "would overwrite", "train", in_folder("in/config.yml"), save_dir, NULL);
    assert_same_file("config.yml", "in/config.yml");
    must(file_write(in_folder("in/metrics.csv"), yaml.p, yaml.size, &err), &err);
    refused(2, "would overwrite", "train", in_folder("config.yml"), save_dir,
            override("data.train.image_list", "in/metrics.csv"), NULL);
    assert_int_equal(link(in_folder("in/metrics.csv"), in_folder("list")), 0);
    refused(2, "would overwrite", "train", in_folder("config.yml"), save_dir, override("data.val.image_list", "list"),
            NULL);
    for (int i = 0; i < 2; i++) {
        must(file_write(in_folder(old[i]), yaml.p, yaml.size, &err), &err);
        refused(2, "would overwrite", "train", in_folder("config.yml"), save_dir, "--weights", in_folder(old[i]), NULL);
        refused(2, "would overwrite", "train", in_folder("config.yml"), save_dir,
                override("model.arch.backbone.pretrain", old[i]), NULL);
        assert_same_file("config.yml", old[i]);
    }
    assert_false(file_exists(in_folder("in/train.log")));
    bytes_free(&yaml);
}

/* It has no comments, and its values are unchanged. */
static void a_written_config_trains_again(void **state)
{
    char weights[200];
    (void)state;
    works("train", in_folder("config.yml"), override("save_dir", "again"), NULL);
    works("train", in_folder("again/config.yml"), "schedule.total_epochs=2", "--resume", NULL);
    snprintf(weights, sizeof weights, "%s", in_folder("again/model_last.safetensors"));
    works("train", in_folder("again/config.yml"), "--weights", weights, NULL);
    assert_true(file_exists(in_folder("again/model_last.safetensors.old")));
}

/* ---- files that cannot be written ---- */

static void put_full(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s", in_folder(name));
    remove(path);
    assert_int_equal(symlink("/dev/full", path), 0);
}

static void a_full_log_ends_with_a_checkpoint(void **state)
{
    struct error err = {0};
    (void)state;
    run_ends("straight", false, NULL);
    assert_true(make_folders(in_folder("full"), &err));
    put_full("full/train.log");
    run_ends("full", false, "full/train.log: No space left on device: the run ends after step 0; --resume continues");
    assert_true(file_exists(in_folder("full/model_last.safetensors")));
    assert_int_equal(unlink(in_folder("full/train.log")), 0);
    run_ends("full", true, NULL);
    assert_same_results("straight", "full");
}

static void full_events_end_with_a_checkpoint(void **state)
{
    struct run r;
    struct error err = {0};
    (void)state;
    must(run_open(&r, "events", false), &r.err);
    FILE *events = r.trainer.run_log.events.file;
    r.trainer.run_log.events.file = fopen("/dev/full", "wb");
    must(trainer_advance(&r.trainer, &err), &err);
    assert_false(trainer_run(&r.trainer, &r.err));
    assert_non_null(strstr(r.err.text, "events.out.tfevents."));
    assert_non_null(strstr(r.err.text, "No space left on device: the run ends after step 1; --resume continues"));
    fclose(r.trainer.run_log.events.file);
    r.trainer.run_log.events.file = events;
    run_close(&r);
    run_ends("events", true, NULL);
    assert_same_results("straight", "events");
}

/* After a later checkpoint, a lost row would never be written. */
static void a_full_table_ends_before_a_checkpoint(void **state)
{
    struct run r;
    (void)state;
    must(run_open(&r, "table", false), &r.err);
    put_full("table/metrics.csv");
    assert_false(trainer_run(&r.trainer, &r.err));
    assert_non_null(strstr(r.err.text, "table/metrics.csv: No space left on device"));
    run_close(&r);
    assert_false(file_exists(in_folder("table/model_last.safetensors")));
    assert_int_equal(unlink(in_folder("table/metrics.csv")), 0);
    run_ends("table", true, NULL);
    assert_same_results("straight", "table");
}

/* Tables and models at the end of links, as on another disk. */
static void links_in_save_dir_remain(void **state)
{
    static const char *const names[] = { "metrics.csv", "eval.csv", "model_last.safetensors" };
    struct error err = {0};
    struct stat info;
    (void)state;
    assert_true(make_folders(in_folder("linked"), &err) && make_folders(in_folder("disk"), &err));
    for (int i = 0; i < 3; i++) {
        char path[200], target[200];
        snprintf(path, sizeof path, "%s/linked/%s", folder, names[i]);
        snprintf(target, sizeof target, "../disk/%s", names[i]);
        assert_int_equal(symlink(target, path), 0);
    }
    run_ends("linked", false, NULL);
    assert_same_results("straight", "linked");
    for (int i = 0; i < 3; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/linked/%s", folder, names[i]);
        assert_true(lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && stat(path, &info) == 0 && info.st_size > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_training_is_refused),
        cmocka_unit_test(the_kernel_releases_the_lock_of_a_killed_process),
        cmocka_unit_test(a_file_system_without_locks_is_noted),
        cmocka_unit_test(stale_temporary_files_are_deleted),
        cmocka_unit_test(no_input_is_overwritten),
        cmocka_unit_test(a_written_config_trains_again),
        cmocka_unit_test(a_full_log_ends_with_a_checkpoint),
        cmocka_unit_test(full_events_end_with_a_checkpoint),
        cmocka_unit_test(a_full_table_ends_before_a_checkpoint),
        cmocka_unit_test(links_in_save_dir_remain) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
