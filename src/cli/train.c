/* cli/train.c -- trains until the last epoch or a signal. */
#include "base/escape.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include "cli/policy.h"
#include "cli/session.h"
#include "cli/shell.h"
#include "ranks/mpi.h"
#include "serve/watch.h"
#include "train/processes.h"
#include "train/trainer.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option train_options[] = {
    { "weights", "FILE", NULL, "start from these weights, in any format" },
    { "resume",  NULL,   NULL, "continue from model_last in save_dir, if it exists" },
    { "serve",   "[HOST:]PORT", NULL, "show the training in a browser (default HOST: this machine alone); PORT 0: a "
                                      "free one" },
    {0} };

static volatile sig_atomic_t stop;              /* the signal that requested it */

/* The first signal asks for an end after the step, a second one ends the process.  A second SIGHUP is no second
 * request: kernel and shell both send one when a terminal closes. */
static void on_signal(int signal)
{
    if (stop && signal != SIGHUP)
        _exit(128 + signal);
    if (!stop)
        stop = signal;
}

/* Called once the training is open; before, a signal ends the process at once, since there is nothing to save.
 * SIGHUP stays ignored if it was, as under nohup. */
static void catch_signals(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct sigaction hang_up;
    sigaction(SIGHUP, NULL, &hang_up);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i] != SIGHUP || hang_up.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

/* The folder of the first validation image, to which paths of the set are relative; free() it. */
static char *val_images(const struct trainer *t)
{
    const struct dataset *val = evaluator_dataset(t->evaluator);
    char *path = val->image_count ? path_join(t->config->val.img_path, val->images[0].file, NULL) : NULL;
    char *name = path ? strrchr(path, '/') : NULL;
    if (name)
        *name = 0;
    return path;
}

/* Adds a command with the configuration and the weights of the run; config.yml in save_dir has every key with its value
 * in this run. */
static void add_command(struct strbuf *line, const struct trainer *t, const char *command, const char *config)
{
    add_shell_word(line, program_invocation_name);
    add_shell_word(line, command);
    add_shell_word(line, config);
    add_shell_word(line, "--weights");
    add_shell_word(line, t->best);
}

/* Prints commands that use the model: one that draws its detections in the validation images, one that scores it. */
static void show_next(const struct trainer *t)
{
    struct strbuf predict = {0}, test = {0};
    double threshold;
    const bool has_threshold = checkpoint_threshold(t->best, &threshold, NULL) && threshold >= 0;
    char *config = path_join(t->config->save_dir, "config.yml", NULL), *images = val_images(t);
    char *drawn = path_join(t->config->save_dir, "drawn", NULL);
    if (config && images && drawn) {
        strbuf_addf(&predict, "next:");
        add_command(&predict, t, "predict", config);
        strbuf_addf(&predict, "%s --out", has_threshold ? " --score auto" : "");
        add_shell_word(&predict, drawn);
        add_shell_word(&predict, images);
        strbuf_addf(&test, "     ");
        add_command(&test, t, "test", config);
    }
    if (test.s && strbuf_check(&predict, NULL) && strbuf_check(&test, NULL)) {
        print_line(stderr, "%s", predict.s);
        print_line(stderr, "%s", test.s);
    }
    strbuf_free(&predict);
    strbuf_free(&test);
    free(config);
    free(images);
    free(drawn);
}

static bool was_stopped(const struct trainer *t, struct error *err)
{
    if (trainer_finished(t))
        return true;
    fail(err, "stopped after step %ld of the run; --resume continues from %s", t->train_step.optimizer.step, t->last);
    err->exit = 128 + t->stop;
    if (!trainer_writes(t))
        err->text[0] = 0;
    return false;
}

/* Opens the page of --serve before the training, so that a port in use is an error before anything is written. */
static bool open_watch(struct watch **watch, const struct args *args, const struct config *config,
                       struct run_output *output, struct error *err)
{
    const char *address = args_text(args, "serve");
    if (!address)
        return true;
    *watch = watch_open(address, config, err);
    if (!*watch)
        return false;
    output->observer = watch_observer(*watch);
    show_line("the training can be watched at ", watch_url(*watch));
    return true;
}

/* A process that fails in training ends all of them, since they wait for it.  Rank 0 tells what all of them find; a
 * process without a message waits for the one that has it. */
static bool end_all(const struct ranks *ranks, const struct error *err)
{
    if (!ranks)
        return false;
    if (ranks->rank > 0)
        sleep(err->text[0] ? 1 : 10);
    show_line("nanodet: ", err->text[0] ? err->text : "another process has failed");
    mpi_abort(err->exit);
    return false;
}

bool train_run(const struct args *args, struct error *err)
{
    struct training_options options = {
        .weights = args_text(args, "weights"), .resume = args_flag(args, "resume"),
        .output = { stderr, rewrites_lines(), NULL }, .stop = &stop };
    struct config config = {0};
    struct trainer trainer = {0};
    struct watch *watch = NULL;
    struct error closing = {0};
    const struct ranks **ranks = &options.policy.ranks;
    bool ok = args_policy(args, &options.policy, err) && mpi_join(ranks, err);
    const bool first = rank_of(*ranks) == 0;
    if (!first)
        options.output = (struct run_output){ stderr, false, NULL };
    ok = ok && processes_agree(*ranks, args_config(args, &config, err)
                               && (!first || open_watch(&watch, args, &config, &options.output, err)), err)
      && trainer_open(&trainer, &config, &options, err);
    if (first)
        args_tell_ignored(&config);
    catch_signals();
    ok = ok && (trainer_run(&trainer, err) || end_all(*ranks, err)) && was_stopped(&trainer, err);
    if (ok && first)
        show_next(&trainer);
    if (!trainer_close(&trainer, &closing) && ok)
        ok = fail(err, "%s", closing.text);
    if (ok && watch)
        watch_end(watch);
    watch_close(watch);
    config_free(&config);
    if (!ok && mpi_launched() && err->text[0]) {     /* now: the launcher ends all when the first has ended */
        show_line("nanodet: ", err->text);
        err->text[0] = 0;
    }
    mpi_leave();
    return ok;
}
