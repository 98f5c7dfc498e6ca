#include "report/events.h"

#include "base/path.h"
#include "base/strbuf.h"
#include "base/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint32_t events_masked_crc(const void *p, size_t size)
{
    const unsigned char *bytes = p;
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* Event: 1 wall_time, 2 step, and one of 3 file_version, 5 summary, 7 session_log.  A record is the event's length,
 * the length's checksum, the event, its checksum. */
static bool write_event(struct events *e, int64_t step, int field, const void *p, size_t size, struct error *err)
{
    struct strbuf event = {0}, record = {0};
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    wire_put_double(&event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    wire_put_int(&event, 2, step);
    wire_put_bytes(&event, field, p, size);
    wire_put_fixed(&record, event.size, 8);
    wire_put_fixed(&record, events_masked_crc(record.s, record.size), 4);
    strbuf_add(&record, event.s, event.size);
    wire_put_fixed(&record, events_masked_crc(event.s, event.size), 4);
    bool ok = strbuf_check(&event, err) && strbuf_check(&record, err);
    if (ok && (fwrite(record.s, 1, record.size, e->file) != record.size || fflush(e->file) != 0))
        ok = fail(err, "%s: %s", e->path, errno_text(errno));
    strbuf_free(&record);
    strbuf_free(&event);
    return ok;
}

/* Creates a file.  If the name exists, as after a run in the same second, a number is added to it. */
static bool create(struct events *e, const char *folder, struct error *err)
{
    char host[256] = "host", name[400];
    gethostname(host, sizeof host - 1);
    for (int n = 0; !e->file; n++) {
        snprintf(name, sizeof name, n ? "events.out.tfevents.%lld.%s.%ld.%d" : "events.out.tfevents.%lld.%s.%ld",
                 (long long)time(NULL), host, (long)getpid(), n);
        free(e->path);
        e->path = path_join(folder, name, err);
        e->file = e->path ? fopen(e->path, "wbxe") : NULL;
        if (!e->file && (!e->path || errno != EEXIST))
            return e->path && fail(err, "%s: %s", e->path, errno_text(errno));
    }
    return true;
}

bool events_open(struct events *e, const char *folder, int64_t step, struct error *err)
{
    static const char version[] = "brain.Event:2", start[] = { 1 << 3, 1 };     /* SessionLog: 1 status = START */
    *e = (struct events){0};
    return create(e, folder, err) && write_event(e, 0, 3, version, sizeof version - 1, err)
        && write_event(e, step, 7, start, sizeof start, err);
}

bool events_scalars(struct events *e, int64_t step, const char *const *names, const double *values, int count,
                    struct error *err)
{
    struct strbuf summary = {0};
    for (int i = 0; i < count; i++) {                           /* Summary: 1 value: 1 tag, 2 simple_value */
        struct strbuf value = {0};
        wire_put_text(&value, 1, names[i]);
        wire_put_float(&value, 2, (float)values[i]);
        wire_put_message(&summary, 1, &value);
    }
    const bool ok = strbuf_check(&summary, err) && write_event(e, step, 5, summary.s, summary.size, err);
    strbuf_free(&summary);
    return ok;
}

bool events_close(struct events *e, struct error *err)
{
    const bool ok = !e->file || fclose(e->file) == 0 || fail(err, "%s: %s", e->path, errno_text(errno));
    free(e->path);
    *e = (struct events){0};
    return ok;
}
