/* config/section.h -- within the room: tables of keys, and one section of the tree read by one of them. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H
#include "config/config.h"

extern const struct key config_keys[], data_keys[], test_keys[], rule_keys[];

/* The tables that stand for sections of every configuration; ends with {0}. */
extern const struct key_table { const char *section; const struct key *keys; } key_tables[];

/* The name of a row that stands for every key of a file that no other row names. */
#define ANY_OTHER_KEY "*"

/* Where values come from that no file holds. */
extern const struct place command_line, at_preset;

/* section_read on a section at hand, which is called prefix in messages. */
bool entry_read(struct config *, struct entry *section, const char *prefix, const struct key *keys, void *to,
                struct error *);

/* After a misuse: true if its text was added to config->problems, false if it ends the reading. */
bool keep_problem(struct config *, struct error *);

/* A configuration with detects_only holds nothing but keys that config_write_detector writes, such as no path. */
bool detector_keys_only(const struct config *, struct error *);
/* Once it is read: each of them has an effect.  One that has none may be a key of a newer version. */
bool detector_keys_effective(const struct config *, struct error *);

struct path { char s[2 * TREE_KEY + 2]; };          /* cut if longer: no key of a table is */
struct path path_of(const char *section, const char *name);
#endif
