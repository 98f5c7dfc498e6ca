/* tests/test_train_command.c -- the train command ends with the commands that use its model. */
#include "base/file.h"
#include "tiny.h"
#include "typed.h"
#include <errno.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(train_ends_with_the_next_commands),
                                       cmocka_unit_test(curves_are_drawn_without_fontconfig) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
