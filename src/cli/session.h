/* cli/session.h -- the start, progress and end of commands that work with a model. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H
#include "base/json.h"
#include "cli/policy.h"
#include "eval/score_report.h"
#include "model/model.h"

struct session { struct policy policy; struct config config; struct model model; };

/* Chooses the policy and opens the model of CONFIG, or else of the configuration in the file of --weights
 * (weights/file_config.h).  The session is empty before, except for config.network_only; session_close in any case. */
bool session_open(struct session *, const struct args *, struct error *);
void session_close(struct session *);

/* Refuses an output of the command that would replace data of the configuration: a file that it names, or a file in a
 * folder of annotations that it names.  Exit 2. */
bool outputs_spare_data(const struct args *, const struct config *, struct error *);

/* --weights, or else schedule.load_model, which may be "". */
const char *session_weights(const struct session *, const struct args *);

/* Loads --weights, or else schedule.load_model; exit 2 without either.  Reports on stderr which weights it used. */
bool session_load(struct session *, const struct args *, struct error *);

/* --tiles SIZE|auto in place of data.val.tiles.size. */
bool session_tiles(struct session *, const struct args *, struct error *);

/* The score above which detections are shown: --score, which may be `auto`, the threshold in the file of the weights
 * (checkpoint_threshold), or else config.shown_score. */
bool session_score(const struct session *, const struct args *, double *score, struct error *);

/* A line on stderr per note of a set; section is "data.val" or "". */
bool show_notes(const struct dataset *, const char *section, struct error *);

/* stderr is a terminal that can erase a line and write it again, and NO_COLOR does not ask for plain text. */
bool rewrites_lines(void);

/* Writes a line to stderr, escaped by base/escape.h; on a terminal it replaces the progress line. */
void show_line(const char *prefix, const char *text);

/* Shows "120 of 500 images": on a terminal in one line that changes, else in a line for each quarter that lies between
 * `before` and done. */
void show_progress(int before, int done, int all);

/* Writes to the file, or to stdout if it is NULL.  json is deleted; NULL means that memory was short. */
bool write_json(cJSON *json, const char *file, struct error *);

/* Prints the table to stdout, or writes JSON to the file if it is not NULL. */
bool write_score(const struct score_report *, const char *json_file, struct error *);
bool show_score(const struct score_report *, struct error *);          /* prints the table to stderr */
#endif
