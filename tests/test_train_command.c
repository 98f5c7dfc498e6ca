/* tests/test_train_command.c -- the train command ends with the commands that use its model. */
#include "base/file.h"
#include "cli/session.h"
#include "tiny.h"
#include "typed.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static void train_ends_with_the_next_commands(void **state)
{
    char config[100], weights[160], wanted[900], run[100], drawn[100], images[100];
    struct error err = {0};
    struct bytes text = {0};
    (void)state;
    snprintf(run, sizeof run, "save_dir=%s", in_folder("it's a run"));
    fflush(stderr);
    const int screen = dup(STDERR_FILENO);
    assert_true(screen >= 0 && freopen(in_folder("stderr"), "w", stderr));
    works("train", in_folder("config.yml"), run, NULL);
    fflush(stderr);
    dup2(screen, STDERR_FILENO);
    close(screen);
    assert_true(file_read(&text, in_folder("stderr"), &err));
    snprintf(wanted, sizeof wanted, "next: %1$s predict '%2$s/it'\\''s a run/config.yml' --weights "
             "'%2$s/it'\\''s a run/model_best/model_best.safetensors' --out '%2$s/it'\\''s a run/drawn' "
             "%2$s/data/images/val\n      %1$s test ", program_invocation_name, folder);
    if (!strstr((char *)text.p, wanted))
        fail_msg("no \"%s\" in: %s", wanted, (char *)text.p);
    assert_non_null(strstr((char *)text.p, "      AP    AP50  objects      F1   score  class\n"));
    bytes_free(&text);
    snprintf(config, sizeof config, "%s", in_folder("it's a run/config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("it's a run/model_best/model_best.safetensors"));
    snprintf(drawn, sizeof drawn, "%s", in_folder("it's a run/drawn"));
    snprintf(images, sizeof images, "%s", in_folder("data/images/val"));
    works("predict", config, "--weights", weights, "--out", drawn, images, NULL);
    works("test", config, "--weights", weights, NULL);
}

/* Fontconfig would wait for ever for settings that are a pipe. */
static void curves_are_drawn_without_fontconfig(void **state)
{
    char run[100];
    (void)state;
    assert_int_equal(mkfifo(in_folder("fonts"), 0600), 0);
    setenv("FONTCONFIG_FILE", in_folder("fonts"), 1);
    snprintf(run, sizeof run, "save_dir=%s", in_folder("piped"));
    alarm(300);
    works("train", in_folder("config.yml"), run, NULL);
    alarm(0);
    unsetenv("FONTCONFIG_FILE");
    assert_true(file_exists(in_folder("piped/curves.png")));
}

/* Lines are rewritten on a terminal alone, unless the user wants plain text. */
static void lines_are_rewritten_on_a_terminal(void **state)
{
    static const struct { const char *terminal, *no_color; bool rewrites; } cases[] = {
        { "xterm", NULL, true }, { "xterm", "", true }, { "xterm", "1", false }, { "dumb", NULL, false },
        { NULL, NULL, false } };
    const int screen = dup(STDERR_FILENO), keyboard = posix_openpt(O_RDWR | O_NOCTTY);
    (void)state;
    assert_true(screen >= 0 && keyboard >= 0 && grantpt(keyboard) == 0 && unlockpt(keyboard) == 0);
    const int terminal = open(ptsname(keyboard), O_RDWR | O_NOCTTY), file = open("/dev/null", O_WRONLY);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)(cases[i].terminal ? setenv("TERM", cases[i].terminal, 1) : unsetenv("TERM"));
        (void)(cases[i].no_color ? setenv("NO_COLOR", cases[i].no_color, 1) : unsetenv("NO_COLOR"));
        dup2(terminal, STDERR_FILENO);
        const bool on_terminal = rewrites_lines();
        dup2(file, STDERR_FILENO);
        const bool in_file = rewrites_lines();
        dup2(screen, STDERR_FILENO);
        if (on_terminal != cases[i].rewrites || in_file)
            fail_msg("TERM=%s NO_COLOR=%s", cases[i].terminal, cases[i].no_color);
    }
    unsetenv("NO_COLOR");
    for (int i = 0; i < 4; i++)
        close((const int[]){ screen, keyboard, terminal, file }[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(train_ends_with_the_next_commands),
                                       cmocka_unit_test(lines_are_rewritten_on_a_terminal),
                                       cmocka_unit_test(curves_are_drawn_without_fontconfig) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
