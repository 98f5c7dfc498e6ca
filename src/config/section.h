/* config/section.h -- within the room: the tables of keys, and a section of the tree against one of them. */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H
#include "config/config.h"

extern const struct key config_keys[], data_keys[], test_keys[], rule_keys[];

/* The tables that stand for sections of every configuration; ends with {0}. */
extern const struct key_table { const char *section; const struct key *keys; } key_tables[];

/* The name of a row that stands for every key of a file that no other row names. */
#define ANY_OTHER_KEY "*"

/* section_read on a section at hand, which is called prefix in messages. */
bool entry_read(struct config *, struct entry *section, const char *prefix, const struct key *keys, void *to,
                struct error *);

/* Exit 2 if the tree holds what config_write_detector does not write, such as a path. */
bool detector_keys_only(const struct config *, struct error *);

/* After a misuse: keeps its text among config->problems and returns true, or returns false to end the reading. */
bool carry_on(struct config *, struct error *);

struct path { char s[2 * TREE_KEY + 2]; };          /* cut if longer: no key of a table is */
struct path path_of(const char *section, const char *name);
#endif
