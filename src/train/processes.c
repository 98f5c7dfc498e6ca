#include "train/processes.h"

#include "base/memory.h"
#include "nanodet.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool processes_agree(const struct ranks *r, bool ok, struct error *err)
{
    const int place = rank_count(r) - rank_of(r);               /* the lowest rank has the largest */
    double failed[2] = { ok ? 0 : place, ok ? 0 : err->exit };
    const struct error cause = ok ? (struct error){0} : *err;
    ranks_largest(r, failed, 2);
    if (!r || failed[0] == 0)
        return ok;
    if (place != (int)failed[0]) {
        *err = (struct error){ .exit = (int)failed[1] };
        return false;
    }
    return rank_of(r) ? fail_as(err, &cause, "rank %d: %s", rank_of(r), cause.text) : false;
}

/* ---- identity ---- */

static void host_name(char *name, size_t size)
{
    if (gethostname(name, size) != 0)
        strcpy(name, "?");
    name[size - 1] = 0;
}

/* Rank 0's text; free() it. */
static char *first_text(const struct ranks *r, const char *own, struct error *err)
{
    size_t size = strlen(own) + 1;
    ranks_broadcast(r, &size, sizeof size);
    char *text = new_array(size, 1, err);
    if (text && rank_of(r) == 0)
        memcpy(text, own, size);
    if (text)
        ranks_broadcast(r, text, size);
    return text;
}

/* Copies the first line of a that b does not have at this place. */
static void first_difference(const char *a, const char *b, char *line, size_t size)
{
    const char *start = a;
    for (; *a && *a == *b; a++, b++)
        if (*a == '\n')
            start = a + 1;
    size_t length = strcspn(start, "\n");
    length = length < size ? length : size - 1;
    memcpy(line, start, length);
    line[length] = 0;
}

static bool same_text(const struct ranks *r, const char *what, const char *own, struct error *err)
{
    char host[64], mine[120], theirs[120];
    char *first = first_text(r, own, err);
    bool ok = first != NULL;
    host_name(host, sizeof host);
    if (ok && strcmp(first, own) != 0) {
        first_difference(own, first, mine, sizeof mine);
        first_difference(first, own, theirs, sizeof theirs);
        ok = misuse(err, "on %s %s is another than that of rank 0: \"%s\", not \"%s\"", host, what, mine, theirs);
    }
    free(first);
    return processes_agree(r, ok, err);
}

static bool same_number(const struct ranks *r, const char *what, uint64_t own, struct error *err)
{
    char host[64];
    uint64_t first = own;
    host_name(host, sizeof host);
    ranks_broadcast(r, &first, sizeof first);
    return processes_agree(r, first == own || misuse(err, "on %s %s is another than that of rank 0", host, what), err);
}

bool processes_match(const struct ranks *r, const struct run_identity *own, struct error *err)
{
    return same_text(r, "the version", NANODET_VERSION, err)
        && same_text(r, "the instruction set", own->isa, err)
        && same_text(r, "the configuration", own->config, err)
        && same_number(r, "data.train", own->state->data[0], err)
        && same_number(r, "data.val", own->state->data[1], err)
        && same_number(r, "the teacher", own->state->teacher, err);
}

/* ---- state ---- */

static void share_array(const struct ranks *r, float *array, ptrdiff_t count)
{
    enum { PIECE = 1 << 24 };
    for (ptrdiff_t from = 0; array && from < count; from += PIECE)
        ranks_broadcast(r, array + from, (size_t)(count - from < PIECE ? count - from : PIECE) * sizeof *array);
}

void processes_share_state(const struct ranks *r, struct optimizer *o, struct run_state *state)
{
    const struct params *params = o->params;
    share_array(r, params->value, params->total);
    share_array(r, o->average, params->total);
    share_array(r, o->moment1, params->trained);
    share_array(r, o->moment2, params->trained);
    ranks_broadcast(r, o->rates, (size_t)o->rate_count * sizeof *o->rates);
    ranks_broadcast(r, &o->step, sizeof o->step);
    ranks_broadcast(r, &o->updates, sizeof o->updates);
    ranks_broadcast(r, &o->epoch, sizeof o->epoch);
    ranks_broadcast(r, state, sizeof *state);
}

/* ---- detections ---- */

static bool receive_detections(const struct ranks *r, int from, struct detections *all, struct error *err)
{
    int count = 0;
    r->transport->receive(r->context, from, &count, sizeof count);
    struct detection *list = new_array((size_t)count, sizeof *list, err);
    bool ok = list != NULL;
    if (ok)
        r->transport->receive(r->context, from, list, (size_t)count * sizeof *list);
    for (int i = 0; ok && i < count; i++)
        ok = detections_add(all, list[i], err);
    free(list);
    return ok;
}

bool processes_gather(const struct ranks *r, struct detections *own, struct error *err)
{
    bool ok = true;
    for (int rank = 1; ok && rank < rank_count(r); rank++)
        if (rank_of(r) == 0) {
            ok = receive_detections(r, rank, own, err);
        } else if (rank_of(r) == rank) {
            r->transport->send(r->context, 0, &own->count, sizeof own->count);
            r->transport->send(r->context, 0, own->list, (size_t)own->count * sizeof *own->list);
        }
    return ok;
}
