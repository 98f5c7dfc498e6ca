/* report/events.h -- scalars for TensorBoard.  The file is a TFRecord file of Event messages; the three messages that
 * scalars need (Event, Summary, SessionLog) are written as protocol buffer fields by hand.  Sources: tensorflow
 * core/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto. */
#ifndef REPORT_EVENTS_H
#define REPORT_EVENTS_H
#include "base/error.h"
#include <stdint.h>
#include <stdio.h>

struct events { FILE *file; char *path; };

/* Creates a file in the folder, named after time, host and process as TensorBoard expects.  It discards the values of
 * earlier files from `step` on, so a resumed run has no overlap.  Call events_close even if it fails. */
bool events_open(struct events *, const char *folder, int64_t step, struct error *);

/* Appends named values of a step. */
bool events_scalars(struct events *, int64_t step, const char *const *names, const double *values, int count,
                    struct error *);
bool events_close(struct events *, struct error *);

/* CRC-32C (Castagnoli), polynomial 0x82f63b78 reflected, rotated and offset as TFRecord masks it. */
uint32_t events_masked_crc(const void *p, size_t size);
#endif
