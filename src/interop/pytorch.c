#include "interop/pytorch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "interop/pickle.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { NAME_SIZE = 1024, DEPTH_MAX = 16, EXPANSION_MAX = 64, ROOM_MIN = 1 << 14 };

struct storage {
    struct bytes key;                           /* in the pickle */
    enum dtype dtype;                           /* DTYPE_NONE: one we do not know */
    size_t bytes;
    const unsigned char *data;                  /* NULL: not loaded yet */
};

struct pytorch_reader {
    struct tensors *out;
    struct pickle pickle;
    struct storage *storages; int storage_count, storage_capacity;      /* sorted by key */
    zip_t *zip; char folder[NAME_SIZE];         /* that data.pkl is in, with a slash; NULL in the legacy layout */
    size_t room;                                /* bytes that may still be taken for data */
    bool *visited;                              /* [pickle.count] dicts; this ends cycles */
    const char *path;
    struct error *err;
};

static const struct { const char *name; enum dtype dtype; } storage_types[] = {
    { "FloatStorage", DTYPE_F32 }, { "HalfStorage", DTYPE_F16 },      { "DoubleStorage", DTYPE_F64 },
    { "LongStorage", DTYPE_I64 },  { "BFloat16Storage", DTYPE_BF16 }, { "IntStorage", DTYPE_I32 },
    { "ShortStorage", DTYPE_I16 }, { "CharStorage", DTYPE_I8 },       { "ByteStorage", DTYPE_U8 },
    { "BoolStorage", DTYPE_BOOL }, {0} };

static unsigned char *take(struct pytorch_reader *r, size_t size)
{
    if (size > r->room) {
        fail(r->err, "%s: unpacks to more than %d times its size", r->path, EXPANSION_MAX);
        return NULL;
    }
    r->room -= size;
    return tensors_block(r->out, size, 1, r->err);
}

/* Bytes of a key that an error shows. */
static int shown(struct bytes key) { return key.size < 80 ? (int)key.size : 80; }

static bool whole_number(const struct pickle_node *node, size_t *out)
{
    if (!node || node->kind != PICKLE_NUMBER || node->number < 0)
        return false;
    *out = (size_t)node->number;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct storage *x = a, *y = b;
    const size_t n = x->key.size < y->key.size ? x->key.size : y->key.size;
    const int order = n ? memcmp(x->key.p, y->key.p, n) : 0;
    return order ? order : (x->key.size > y->key.size) - (x->key.size < y->key.size);
}

/* The persistent id ("storage", type, key, device, elements), in older files with a view of a storage at its end. */
static bool parse_storage(const struct pytorch_reader *r, const struct pickle_node *node, struct storage *out)
{
    const struct pickle *p = &r->pickle;
    const struct pickle_node *id = pickle_item(p, node, 0), *type = pickle_item(p, id, 1);
    const struct pickle_node *key = pickle_item(p, id, 2), *view = pickle_item(p, id, 5);
    *out = (struct storage){0};
    if (!node || node->kind != PICKLE_PERSISTENT || !pickle_is_text(pickle_item(p, id, 0), "storage")
        || !key || key->kind != PICKLE_TEXT || !whole_number(pickle_item(p, id, 4), &out->bytes)
        || (view && view->kind != PICKLE_NONE))
        return false;
    out->key = key->text;
    for (int i = 0; storage_types[i].name; i++)
        if (pickle_is_text(pickle_item(p, type, 1), storage_types[i].name))
            out->dtype = storage_types[i].dtype;
    return checked_mul(out->bytes, dtype_bytes(out->dtype), &out->bytes);
}

static struct storage *find_storage(const struct pytorch_reader *r, struct bytes key)
{
    return r->storage_count ? bsearch(&(struct storage){ .key = key }, r->storages, (size_t)r->storage_count,
                                      sizeof *r->storages, by_key) : NULL;
}

/* Lists each storage once. */
static bool list_storages(struct pytorch_reader *r)
{
    int kept = 0;
    struct storage s;
    for (int i = 0; i < r->pickle.count; i++)
        if (parse_storage(r, &r->pickle.nodes[i], &s)) {
            if (!grow_array(&r->storages, r->storage_count, &r->storage_capacity, sizeof *r->storages, r->err))
                return false;
            r->storages[r->storage_count++] = s;
        }
    if (r->storage_count)
        qsort(r->storages, (size_t)r->storage_count, sizeof *r->storages, by_key);
    for (int i = 0; i < r->storage_count; i++) {
        const struct storage *last = kept ? &r->storages[kept - 1] : NULL;
        s = r->storages[i];
        if (!last || by_key(last, &s) != 0)
            r->storages[kept++] = s;
        else if (last->dtype != s.dtype || last->bytes != s.bytes)
            return fail(r->err, "%s: storage %.*s has two types or sizes", r->path, shown(s.key), s.key.p);
    }
    r->storage_count = kept;
    return true;
}

/* The error of a failed call of libzip, which does not report every failed allocation; malloc sets errno.  The caller
 * has set errno to 0 before the call. */
static const char *zip_text(zip_error_t *why)
{
    return errno == ENOMEM ? "out of memory" : zip_error_strerror(why);
}

/* The bytes of a file in the zip. */
static bool read_entry(struct pytorch_reader *r, const char *name, struct bytes *out)
{
    zip_stat_t info;
    const zip_int64_t at = zip_name_locate(r->zip, name, 0);
    if (at < 0 || zip_stat_index(r->zip, (zip_uint64_t)at, 0, &info) != 0 || !(info.valid & ZIP_STAT_SIZE))
        return fail(r->err, "%s: has no file %s", r->path, name);
    out->size = info.size;
    out->p = take(r, out->size);
    errno = 0;
    zip_file_t *file = out->p ? zip_fopen_index(r->zip, (zip_uint64_t)at, 0) : NULL;
    if (!file)
        return out->p && fail(r->err, "%s: %s: %s", r->path, name, zip_text(zip_get_error(r->zip)));
    unsigned char beyond;                       /* reading on to the end makes libzip compare the checksum */
    const bool ok = zip_fread(file, out->p, out->size) == (zip_int64_t)out->size && zip_fread(file, &beyond, 1) == 0;
    zip_fclose(file);
    return ok || fail(r->err, "%s: %s is damaged", r->path, name);
}

static bool load_storage(struct pytorch_reader *r, struct storage *s)
{
    char name[2 * NAME_SIZE];
    struct bytes entry;
    if (s->data)
        return true;
    if (!r->zip)
        return fail(r->err, "%s: storage %.*s is missing", r->path, shown(s->key), s->key.p);
    if (s->key.size >= NAME_SIZE)
        return fail(r->err, "%s: the key of a storage is too long", r->path);
    snprintf(name, sizeof name, "%sdata/%.*s", r->folder, (int)s->key.size, s->key.p);
    if (!read_entry(r, name, &entry))
        return false;
    if (entry.size != s->bytes)
        return fail(r->err, "%s: %s has %zu bytes, its tensors want %zu", r->path, name, entry.size, s->bytes);
    s->data = entry.p;
    return true;
}

/* The position of a tensor's elements in its storage; packed: without gaps, in row-major order. */
struct strides { size_t offset, step[RANK_MAX]; bool packed; };

/* False if it is not a view, or exceeds a storage of `room` elements. */
static bool parse_view(const struct pickle *p, const struct pickle_node *args, size_t room, struct tensor *t,
                       struct strides *strides)
{
    const struct pickle_node *sizes = pickle_item(p, args, 2), *steps = pickle_item(p, args, 3);
    size_t last, along, count = 1;
    if (!sizes || !steps || sizes->kind != PICKLE_TUPLE || steps->kind != PICKLE_TUPLE || sizes->count > RANK_MAX
        || sizes->count != steps->count || !whole_number(pickle_item(p, args, 1), &strides->offset))
        return false;
    t->rank = sizes->count;
    last = strides->offset;
    strides->packed = true;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (!whole_number(pickle_item(p, sizes, i), &t->dims[i])
            || !whole_number(pickle_item(p, steps, i), &strides->step[i]))
            return false;
        strides->packed = strides->packed && (t->dims[i] == 1 || strides->step[i] == count);
        if (!checked_mul(count, t->dims[i], &count)
            || (t->dims[i] && (!checked_mul(t->dims[i] - 1, strides->step[i], &along)
                               || !checked_add(last, along, &last))))
            return false;
    }
    strides->packed = strides->packed || count == 0;
    return count == 0 ? strides->offset <= room : last < room;
}

/* Copies the elements of a view into row-major order. */
static void gather(const struct tensor *t, const struct strides *strides, const unsigned char *from, unsigned char *to)
{
    const size_t bytes = dtype_bytes(t->dtype), count = tensor_count(t);
    size_t index[RANK_MAX] = {0}, at = strides->offset;
    for (size_t n = 0; n < count; n++, to += bytes) {
        memcpy(to, from + at * bytes, bytes);
        for (int i = t->rank - 1; i >= 0; i--) {
            at += strides->step[i];
            if (++index[i] < t->dims[i])
                break;
            at -= index[i] * strides->step[i];
            index[i] = 0;
        }
    }
}

/* torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, ...) */
static bool add_tensor(struct pytorch_reader *r, const char *name, const struct pickle_node *args)
{
    struct tensor t = {0};
    struct strides strides;
    struct storage key, *s = NULL;
    size_t bytes;
    if (parse_storage(r, pickle_item(&r->pickle, args, 0), &key))
        s = find_storage(r, key.key);
    if (!s || s->dtype == DTYPE_NONE)
        return fail(r->err, "%s: %s: its storage is of a kind that is not supported", r->path, name);
    t.dtype = s->dtype;
    if (!parse_view(&r->pickle, args, s->bytes / dtype_bytes(s->dtype), &t, &strides))
        return fail(r->err, "%s: %s: sizes and strides do not fit a storage of %zu bytes", r->path, name, s->bytes);
    if (!load_storage(r, s))
        return false;
    if (strides.packed)
        t.data = s->data + strides.offset * dtype_bytes(t.dtype);
    else {
        if (!checked_mul(tensor_count(&t), dtype_bytes(t.dtype), &bytes))
            bytes = SIZE_MAX;                   /* which nothing has room for */
        unsigned char *copy = take(r, bytes);
        if (!copy)
            return false;
        gather(&t, &strides, s->data, copy);
        t.data = copy;
    }
    return tensors_add_named(r->out, name, &t, r->err);
}

/* A call by which torch makes a tensor or a parameter; other calls are objects of no interest. */
static bool add_call(struct pytorch_reader *r, const char *name, const struct pickle_node *call)
{
    static const char module[] = "torch._utils", rebuild[] = "_rebuild_";
    const struct pickle *p = &r->pickle;
    const struct pickle_node *callable = pickle_item(p, call, 0), *args = pickle_item(p, call, 1);
    if (pickle_is_global(p, callable, module, "_rebuild_parameter")
        || pickle_is_global(p, callable, module, "_rebuild_parameter_with_state")) {
        call = pickle_item(p, args, 0);
        callable = pickle_item(p, call, 0);
        args = pickle_item(p, call, 1);
    }
    if (pickle_is_global(p, callable, module, "_rebuild_tensor_v2"))
        return add_tensor(r, name, args);
    const struct pickle_node *function = pickle_item(p, callable, 1);
    if (pickle_is_text(pickle_item(p, callable, 0), module) && function && function->kind == PICKLE_TEXT
        && function->text.size >= strlen(rebuild) && memcmp(function->text.p, rebuild, strlen(rebuild)) == 0)
        return fail(r->err, "%s: %s: a kind of tensor that is not supported", r->path, name);
    return true;
}

/* PREFIX.KEY, cut if it is too long; false if the key is not a name. */
static bool join_name(char name[NAME_SIZE], const char *prefix, const struct pickle_node *key)
{
    const char *dot = *prefix ? "." : "";
    const int size = key->text.size < NAME_SIZE ? (int)key->text.size : NAME_SIZE;
    if (key->kind == PICKLE_TEXT)
        snprintf(name, NAME_SIZE, "%s%s%.*s", prefix, dot, size, key->text.p);
    else if (key->kind == PICKLE_NUMBER)
        snprintf(name, NAME_SIZE, "%s%s%lld", prefix, dot, (long long)key->number);
    return key->kind == PICKLE_TEXT || key->kind == PICKLE_NUMBER;
}

static bool add_dict(struct pytorch_reader *r, const char *prefix, const struct pickle_node *dict, int depth)
{
    bool *visited = &r->visited[dict - r->pickle.nodes];
    if (*visited)
        return true;
    *visited = true;
    if (depth > DEPTH_MAX)
        return fail(r->err, "%s: dicts are nested more than %d deep", r->path, DEPTH_MAX);
    bool ok = true;
    for (int i = 0; ok && i < dict->count; i += 2) {
        const struct pickle_node *key = pickle_item(&r->pickle, dict, i), *value = pickle_item(&r->pickle, dict, i + 1);
        char name[NAME_SIZE];
        if ((value->kind != PICKLE_CALL && value->kind != PICKLE_DICT) || !join_name(name, prefix, key))
            continue;
        if (strlen(name) >= NAME_SIZE - 1)
            return fail(r->err, "%s: a name of more than %d bytes", r->path, NAME_SIZE - 2);
        ok = value->kind == PICKLE_DICT ? add_dict(r, name, value, depth + 1) : add_call(r, name, value);
    }
    return ok;
}

static bool add_state_dict(struct pytorch_reader *r)
{
    const struct pickle_node *root = &r->pickle.nodes[r->pickle.root];
    const struct pickle_node *state = pickle_value(&r->pickle, root, "state_dict");
    if (!state)
        state = root;
    if (state->kind != PICKLE_DICT)
        return fail(r->err, "%s: holds no dict of tensors", r->path);
    r->visited = new_array((size_t)r->pickle.count, sizeof *r->visited, r->err);
    return r->visited && add_dict(r, "", state, 1) && tensors_index(r->out, r->path, r->err)
        && (r->out->count || fail(r->err, "%s: holds no tensors", r->path));
}

static bool reader_run(struct pytorch_reader *r, bool (*read)(struct pytorch_reader *, struct bytes), struct bytes file)
{
    r->room = EXPANSION_MAX * (file.size + ROOM_MIN);
    const bool ok = read(r, file);
    pickle_free(&r->pickle);
    free(r->storages);
    free(r->visited);
    return ok;
}

bool is_pytorch_zip(struct bytes file)
{
    return file.size >= 4 && memcmp(file.p, "PK\3\4", 4) == 0;
}

/* The folder is named after the file as it was saved. */
static bool find_folder(struct pytorch_reader *r)
{
    static const char wanted[] = "data.pkl";
    for (zip_int64_t i = 0; i < zip_get_num_entries(r->zip, 0); i++) {
        const char *name = zip_get_name(r->zip, (zip_uint64_t)i, 0);
        if (!name || strcmp(path_name(name), wanted) != 0 || strlen(name) >= sizeof r->folder)
            continue;
        snprintf(r->folder, sizeof r->folder, "%.*s", (int)(strlen(name) - strlen(wanted)), name);
        return true;
    }
    return fail(r->err, "%s: is a zip file without a %s, so torch.save did not write it", r->path, wanted);
}

static bool read_zip(struct pytorch_reader *r, struct bytes file)
{
    char name[2 * NAME_SIZE];
    struct bytes pickle, order;
    (void)file;
    if (!find_folder(r))
        return false;
    snprintf(name, sizeof name, "%sbyteorder", r->folder);
    if (zip_name_locate(r->zip, name, 0) >= 0) {
        if (!read_entry(r, name, &order))
            return false;
        if (order.size != strlen("little") || memcmp(order.p, "little", order.size) != 0)
            return fail(r->err, "%s: its byte order is not little-endian", r->path);
    }
    snprintf(name, sizeof name, "%sdata.pkl", r->folder);
    return read_entry(r, name, &pickle) && pickle_read(&r->pickle, pickle, r->path, r->err) && list_storages(r)
        && add_state_dict(r);
}

bool pytorch_zip_read(struct tensors *out, struct bytes file, const char *path, struct error *err)
{
    struct pytorch_reader r = { .out = out, .path = path, .err = err };
    zip_error_t why;
    zip_error_init(&why);
    errno = 0;
    zip_source_t *source = zip_source_buffer_create(file.p, file.size, 0, &why);
    r.zip = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
    const bool ok = r.zip ? reader_run(&r, read_zip, file) : fail(err, "%s: %s", path, zip_text(&why));
    if (r.zip)
        zip_discard(r.zip);
    else if (source)
        zip_source_free(source);
    zip_error_fini(&why);
    return ok;
}

/* The pickle of 0x1950a86a20f9469cfc6c. */
static bool is_magic(const struct pickle *p)
{
    return pickle_is_text(&p->nodes[p->root], "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
}

bool is_pytorch_legacy(struct bytes file)
{
    enum { MAGIC_SIZE = 64 };                   /* more than its pickle takes in any protocol */
    struct pickle p;
    const struct bytes head = { file.p, file.size < MAGIC_SIZE ? file.size : MAGIC_SIZE };
    const bool is = pickle_read(&p, head, "", NULL) && is_magic(&p);
    pickle_free(&p);
    return is;
}

/* Reads a pickle and moves rest behind it. */
static bool next_pickle(struct pytorch_reader *r, struct pickle *out, struct bytes *rest)
{
    if (!pickle_read(out, *rest, r->path, r->err))
        return false;
    *rest = (struct bytes){ rest->p + out->size, rest->size - out->size };
    return true;
}

static bool is_version(const struct pickle *p)
{
    const struct pickle_node *root = &p->nodes[p->root];
    return root->kind == PICKLE_NUMBER && root->number == 1001;
}

static bool is_little_endian(const struct pickle *p)
{
    const struct pickle_node *little = pickle_value(p, &p->nodes[p->root], "little_endian");
    return little && little->kind == PICKLE_NUMBER && little->number == 1;
}

static bool place_storage(struct pytorch_reader *r, const struct pickle_node *key, struct bytes *rest)
{
    uint64_t count = 0;
    struct storage *s = key->kind == PICKLE_TEXT ? find_storage(r, key->text) : NULL;
    if (!s || s->dtype == DTYPE_NONE)
        return fail(r->err, "%s: a storage is of a kind that is not supported", r->path);
    if (rest->size >= sizeof count)
        memcpy(&count, rest->p, sizeof count);
    if (rest->size < sizeof count || count != s->bytes / dtype_bytes(s->dtype) || s->bytes > rest->size - sizeof count)
        return fail(r->err, "%s: storage %.*s is not of %zu bytes", r->path, shown(s->key), s->key.p, s->bytes);
    s->data = rest->p + sizeof count;
    *rest = (struct bytes){ rest->p + sizeof count + s->bytes, rest->size - sizeof count - s->bytes };
    return true;
}

static bool read_legacy(struct pytorch_reader *r, struct bytes file)
{
    static const struct { bool (*holds)(const struct pickle *); const char *what; } head[] = {
        { is_magic, "is not a file of torch.save" },
        { is_version, "is of another version than 1001" },
        { is_little_endian, "its byte order is not little-endian" } };
    struct pickle p;
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof head / sizeof *head; i++) {
        ok = next_pickle(r, &p, &file)
          && (head[i].holds(&p) || fail(r->err, "%s: %s", r->path, head[i].what));
        pickle_free(&p);
    }
    if (!ok || !next_pickle(r, &r->pickle, &file) || !list_storages(r))
        return false;
    ok = next_pickle(r, &p, &file);
    const struct pickle_node *keys = ok ? &p.nodes[p.root] : NULL;
    for (int i = 0; ok && i < keys->count; i++)
        ok = place_storage(r, pickle_item(&p, keys, i), &file);
    pickle_free(&p);
    return ok && add_state_dict(r);
}

bool pytorch_legacy_read(struct tensors *out, struct bytes file, const char *path, struct error *err)
{
    struct pytorch_reader r = { .out = out, .path = path, .err = err };
    return reader_run(&r, read_legacy, file);
}
