/* config/section.h -- within the room: tables of keys, and one section of the tree read by one of them. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H
#include "config/config.h"

extern const struct key config_keys[], data_keys[], train_tile_keys[], test_tile_keys[], test_keys[], rule_keys[];

/* The sections that every configuration has, and their tables; ends with {0}. */
extern const struct key_table { const char *section; const struct key *keys; } key_tables[];

/* The name of a row for all keys in a file that no other row names. */
#define ANY_OTHER_KEY "*"

/* Places of values that come from no file. */
extern const struct place command_line, at_preset;

/* section_read with the section itself; prefix is its path, for messages. */
bool entry_read(struct config *, struct entry *section, const char *prefix, const struct key *keys, void *to,
                struct error *);

/* After a misuse: true if its text was added to config->problems, false if it ends the reading. */
bool keep_problem(struct config *, struct error *);

/* With detects_only: exit 2 if the tree holds a key that config_write_detector_keys does not write, such as a path. */
bool refuse_other_keys(const struct config *, struct error *);
/* With detects_only, once the tree is read: exit 2 if a key has no effect, as a key of a newer version would. */
bool refuse_ignored_keys(const struct config *, struct error *);

struct key_path { char s[2 * TREE_KEY + 2]; };          /* longer ones are cut; no key of a table is longer */
struct key_path key_path_of(const char *section, const char *name);
#endif
