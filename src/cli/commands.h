/* cli/commands.h -- the table of commands; the file named after a command has its options and its run function. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H
#include "cli/args.h"

extern const struct command commands[];

extern const struct option train_options[];
bool train_run(const struct args *, struct error *);

extern const struct option init_options[];
bool init_run(const struct args *, struct error *);

extern const struct option check_options[];
bool check_run(const struct args *, struct error *);

extern const struct option synth_options[];
bool synth_run(const struct args *, struct error *);

extern const struct option test_options[];
bool test_run(const struct args *, struct error *);

extern const struct option predict_options[];
bool predict_run(const struct args *, struct error *);

extern const struct option heatmap_options[];
bool heatmap_run(const struct args *, struct error *);

extern const struct option convert_options[];
bool convert_run(const struct args *, struct error *);

extern const struct option export_options[];
bool export_run(const struct args *, struct error *);

extern const struct option info_options[];
bool info_run(const struct args *, struct error *);

extern const struct option bench_options[];
bool bench_run(const struct args *, struct error *);

extern const struct option eval_options[];
bool eval_run(const struct args *, struct error *);

/* Prints the version, the kernels and the libraries of the build. */
bool print_version(struct error *);
#endif
