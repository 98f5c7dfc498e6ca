/* cli/check_report.h -- the page that `check --report` writes about the data of a configuration. */
#ifndef CLI_CHECK_REPORT_H
#define CLI_CHECK_REPORT_H
#include "data/difference_hash.h"
#include "eval/suspects.h"
#include "model/model.h"

struct report_set {
    const char *section;                /* data.train, data.val */
    const struct data_config *config;
    const struct dataset *data;
    const int *label;                   /* NULL: the set could not be read, and has no part in the page */
};

struct data_report {                    /* borrowed */
    const struct config *config;
    struct model *model;                /* NULL: it cannot be built */
    const struct policy *policy;
    const char *weights;                /* NULL: no labels are disputed */
    const char *folder;
    struct report_set sets[2];
    const struct string_list *problems, *notes;
};

/* Writes report.html and, with weights, suspects.json into the folder, which is made if necessary. */
bool data_report_write(const struct data_report *, struct error *);

/* ---- for check_report*.c ---- */

/* The parts of the page: of numbers; of images. */
bool report_classes(const struct data_report *, struct strbuf *page, struct error *);
bool report_sizes(const struct data_report *, struct strbuf *page, struct error *);
bool report_examples(const struct data_report *, struct strbuf *page, struct error *);
bool report_batches(const struct data_report *, struct strbuf *page, struct error *);
bool report_shared(const struct data_report *, struct strbuf *page, struct error *);
bool report_faults(const struct data_report *, struct strbuf *page, struct error *);
bool report_suspects(const struct data_report *, struct strbuf *page, struct error *);

/* The box is an object of a class that is not to be ignored. */
static inline bool is_object(const struct report_set *s, const struct annotation *a)
{
    return s->label[a->category] >= 0 && !a->ignore && annotation_trains(a);
}

/* Decodes image i of a set.  False without an error: it cannot be read. */
bool read_report_image(struct image *, const struct report_set *, int i, struct error *);
#endif
