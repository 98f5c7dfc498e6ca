#include "data/split.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/random.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An image: its name up to `prefix` is that of its sequence, the digits behind it are its number. */
struct frame { const char *name; int index, prefix, digits; };

/* Images first .. first + count - 1 of the sorted frames, which stay together. */
struct unit { int first, count; };

struct division {
    const struct dataset *set;
    const int *label;
    int classes;
    struct frame *frames;
    struct unit *units; int unit_count;
};

static struct frame frame_of(const char *name, int index, bool by_first_word)
{
    const char *file = path_name(name), *roboflow = strstr(file, ".rf.");
    int end = roboflow ? (int)(roboflow - name) : path_stem_length(name);
    const int folder = (int)(file - name), whole = end;
    if (by_first_word)
        return (struct frame){ name, index, folder + (int)strcspn(file, "_."), 0 };
    if (roboflow)                                       /* 0001_jpg.rf.HASH.jpg */
        while (end > folder && name[end - 1] != '_')
            end--;
    while (end > folder && !isdigit((unsigned char)name[end - 1]) && roboflow)
        end--;
    int first = end;
    while (first > folder && isdigit((unsigned char)name[first - 1]))
        first--;
    return first < end ? (struct frame){ name, index, first, end - first } : (struct frame){ name, index, whole, 0 };
}

static int compare_prefix(const struct frame *a, const struct frame *b)
{
    const int order = memcmp(a->name, b->name, (size_t)(a->prefix < b->prefix ? a->prefix : b->prefix));
    return order ? order : a->prefix - b->prefix;
}

static int compare_number(const struct frame *a, const struct frame *b)
{
    const char *x = a->name + a->prefix, *y = b->name + b->prefix;
    int n = a->digits, m = b->digits;
    for (; n > 0 && *x == '0'; x++)
        n--;
    for (; m > 0 && *y == '0'; y++)
        m--;
    return n != m ? n - m : memcmp(x, y, (size_t)n);
}

static int by_sequence(const void *p, const void *q)
{
    const struct frame *a = p, *b = q;
    const int prefix = compare_prefix(a, b), number = prefix ? prefix : compare_number(a, b);
    return number ? number : strcmp(a->name, b->name);
}

/* ---- units ---- */

static void cut_sequence(struct division *d, int first, int end, int run)
{
    while (first < end) {
        int next = end - first > run ? first + run : end;
        while (next < end && compare_number(&d->frames[next - 1], &d->frames[next]) == 0)
            next++;
        d->units[d->unit_count++] = (struct unit){ first, next - first };
        first = next;
    }
}

static void make_units(struct division *d)
{
    const int n = d->set->image_count, run = (n + 19) / 20;
    qsort(d->frames, (size_t)n, sizeof *d->frames, by_sequence);
    for (int first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && compare_prefix(&d->frames[first], &d->frames[end]) == 0; end++) ;
        cut_sequence(d, first, end, 4 * (end - first) > n ? run : n);
    }
}

/* ---- divisions ---- */

/* Gives units to validation in the order of a random permutation while that brings the count closer to the target. */
static int divide(const struct division *d, const int *order, const bool *usable, int target, bool *is_val)
{
    int chosen = 0;
    memset(is_val, 0, (size_t)d->set->image_count * sizeof *is_val);
    for (int i = 0; i < d->unit_count; i++) {
        const struct unit *unit = &d->units[order[i]];
        if (abs(chosen + unit->count - target) >= abs(chosen - target))
            continue;
        for (int k = unit->first; k < unit->first + unit->count; k++)
            if (usable[d->frames[k].index]) {
                is_val[d->frames[k].index] = true;
                chosen++;
            }
    }
    return chosen;
}

/* seen[2 * classes]: classes with a box in training, in validation. */
static double quality(const struct division *d, const bool *is_val, int chosen, int target, bool *seen, bool *both)
{
    int classes = 0;
    bool any[2] = {0};
    memset(seen, 0, 2 * (size_t)d->classes * sizeof *seen);
    for (int i = 0; i < d->set->annotation_count; i++) {
        const struct annotation *a = &d->set->annotations[i];
        if (d->label[a->category] >= 0 && annotation_trains(a) && !a->ignore)
            seen[2 * d->label[a->category] + is_val[a->image]] = any[is_val[a->image]] = true;
    }
    for (int c = 0; c < d->classes; c++)
        classes += 2 * seen[2 * c] + seen[2 * c + 1];           /* a class without training boxes is never learned */
    *both = any[0] && any[1];
    return (*both ? 1e9 : 0) + classes - abs(chosen - target) / (1.0 + d->set->image_count);
}

static bool choose(const struct division *d, const bool *usable, double fraction, int seed, bool *is_val,
                   bool *divided, struct error *err)
{
    enum { TRIALS = 64 };
    const int n = d->set->image_count, target = (int)fmax(1, rint(fraction * n));
    int *order = new_array((size_t)d->unit_count, sizeof *order, err);
    bool *trial = new_array((size_t)n, sizeof *trial, err);
    bool *seen = new_array(2 * (size_t)d->classes + 1, sizeof *seen, err);
    const bool ok = order && trial && seen;
    double best = -INFINITY;
    for (int i = 0; ok && i < TRIALS; i++) {
        struct random random = random_of((uint64_t)seed, 0, (uint64_t)i);
        bool both;
        random_permutation(&random, d->unit_count, order);
        const int chosen = divide(d, order, usable, target, trial);
        const double score = quality(d, trial, chosen, target, seen, &both);
        if (score > best) {
            best = score;
            *divided = both;
            memcpy(is_val, trial, (size_t)n * sizeof *trial);
        }
    }
    free(order);
    free(trial);
    free(seen);
    return ok;
}

bool dataset_split(const struct dataset *set, const int *label, int classes, bool by_first_word, const bool *usable,
                   double fraction, int seed, bool *is_val, bool *divided, struct error *err)
{
    const size_t n = (size_t)set->image_count;
    struct division d = { .set = set, .label = label, .classes = classes,
                          .frames = new_array(n, sizeof *d.frames, err), .units = new_array(n, sizeof *d.units, err) };
    bool ok = d.frames && d.units;
    *divided = false;
    for (int i = 0; ok && i < set->image_count; i++)
        d.frames[i] = frame_of(set->images[i].file, i, by_first_word);
    if (ok)
        make_units(&d);
    ok = ok && choose(&d, usable, fraction, seed, is_val, divided, err);
    free(d.frames);
    free(d.units);
    return ok;
}
