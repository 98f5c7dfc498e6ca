/* eval/join.h -- finds the image and the category of the ground truth that a record of a detection file means.
 *
 * Names decide where both sides have them; ids decide elsewhere:
 *   image     by the relative path (a leading "./" is dropped, '\' counts as '/'), else by the base name if it belongs
 *             to one image of the ground truth and to one path of the detections, else by id if the base names agree;
 *             bytes that are not UTF-8 may be written as %XX on one side (base/text_file.h), as in nanodet's JSON
 *   category  by name, with the same two spellings; ' ', '_' and '-' are equal (class_name_compare in data/dataset.h)
 *   id        for a record without a name, or where the ground truth has none
 * Nothing is dropped: join_end fails if any record belongs to no image or to no category, and if ids must decide for
 * some records while other records have names that contradict their ids. */
#ifndef EVAL_JOIN_H
#define EVAL_JOIN_H
#include "base/name_index.h"
#include "base/strbuf.h"
#include "data/dataset.h"

enum join_side { JOIN_IMAGE, JOIN_CATEGORY, JOIN_SIDES };

struct join {
    const struct dataset *gt;                   /* borrowed, as are its names */
    int records;
    struct join_index {
        struct name_index paths, bases;         /* bases: of images only */
        char **claimed;                         /* per image or category: its name in the detections */
        int renumbered;                         /* records whose name belongs to another id than theirs */
        int by_id, first_by_id;                 /* records that have only an id; the number of the first one */
        int missing; struct strbuf first_missing; /* records that belong to nothing; the first few */
    } side[JOIN_SIDES];
};

bool join_begin(struct join *, const struct dataset *gt, struct error *);

/* The index of the image or category, or -1 if there is none: join_end then fails.  name: "" if the record has none.
 * record: number of the record in its file, for messages. */
int join_find(struct join *, enum join_side, int record, int64_t id, const char *name);

/* path: the file of detections, for messages. */
bool join_end(const struct join *, const char *path, struct error *);
void join_free(struct join *);
#endif
