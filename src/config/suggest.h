/* config/suggest.h -- within the room: the known keys nearest to an unknown one. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H
#include "config/key.h"

/* Adds to `out` the known key or keys, at most three, nearest to the unknown key `path`: "data.train.img_path or
 * data.val.img_path".  Candidates are the keys of the table for `section`, of all other tables of the room, and those
 * that the file has in the sections of the model.  Keys with a similar last part are near (epochs:
 * schedule.total_epochs, lr: schedule.optimizer.lr); the sections before it break ties.  false: no key is near, and the
 * one with the fewest edits was added. */
bool suggest_keys(const struct entry *root, const char *section, const struct key *keys, const char *path,
                  struct strbuf *out);
#endif
