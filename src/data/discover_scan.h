/* data/discover_scan.h -- within discover*.c: the files of a folder, and the part of the set that a path belongs to. */
#ifndef DATA_DISCOVER_SCAN_H
#define DATA_DISCOVER_SCAN_H
#include "base/strbuf.h"
#include "data/discover.h"

enum part { PART_NONE, PART_TRAIN, PART_VAL, PART_TEST, PARTS };

/* Images of one folder are neighbours. */
struct image_file { const char *path; int folder_length; };

struct scan {
    const char *folder;
    struct string_list files;           /* below the folder, sorted by byte */
    struct image_file *images; int image_count;
    char *yaml[PARTS];                  /* paths that data.yaml names for the parts and that exist, or NULL */
};

bool scan_open(struct scan *, const char *folder, struct error *);
void scan_free(struct scan *);
bool scan_has_file(const struct scan *, const char *path);
bool scan_has_folder(const struct scan *, const char *path, size_t length);     /* "" is the folder itself */

/* The part in whose name a path of length bytes lies; *end: the length of the path up to that name's end. */
enum part part_of_path(const struct scan *, const char *path, size_t length, size_t *end);

/* Sets the parts of the set from the JSON files of COCO; *found is false if there is none whose images are found. */
bool discover_coco(struct discovery *, const struct scan *, bool *found, struct error *);

enum json_kind { JSON_OTHER, JSON_COCO, JSON_LABELME };
bool json_kind_of(enum json_kind *, const struct scan *, const char *path, struct error *);

/* Uses part PART_TRAIN and, for validation, PART_VAL or else PART_TEST; without a training part another one is for
 * training, and none for validation.  found[PARTS] is emptied. */
void take_parts(struct discovery *, struct found_part found[PARTS]);
void found_part_free(struct found_part *);

bool discovery_note(struct discovery *, struct error *, const char *format, ...) PRINTF_LIKE(3, 4);
#endif
