#include "data/loader.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/copy_paste.h"
#include "data/repeat.h"
#include <pthread.h>
#include <stdlib.h>

/* A slot holds batch number `b` = epoch steps + step while turn <= b < turn + LOADER_AHEAD; it is slots[b % AHEAD].
 * Samples are claimed in order; whoever finishes the last one of a batch stacks it. */
struct slot {
    struct batch batch;                         /* allocated for a whole batch at the start */
    int finished;                               /* samples */
    bool ready;                                 /* batch or err is there to be taken */
    int err_sample;                             /* the lowest that failed, so that the error is always the same one */
    struct error err;                           /* exit 0: none */
};

/* All below `lock` is guarded by it, but for samples and batches, which belong to whoever claimed or stacks them and
 * then to the caller, and for an epoch's order, which is written before the first of its samples is claimed. */
struct loader {
    struct loader_config config;
    int images, places, steps;                  /* of the set; of an epoch */
    double *repeat_end;                         /* [images], for repeat_images; NULL: each image has one place */
    int *repeated;                              /* [places]: temporary */
    pthread_mutex_t lock;
    pthread_cond_t work, ready;                 /* something to claim; a batch for the caller */
    bool stop;
    int64_t turn, claiming, end;                /* batches: the caller's; the one being claimed; after the last */
    bool lent;                                  /* the caller has the one whose turn it is */
    int claimed;                                /* samples of the batch being claimed */
    struct slot slots[LOADER_AHEAD];
    struct order { int epoch, *image; } orders[LOADER_AHEAD];   /* of epoch e: orders[e % AHEAD], since batches at
                                                   work span no more epochs; epoch -1: none yet */
    bool *broken;                               /* [images]: its file is missing or holds no image */
    struct string_list complaints; int complaints_taken;
    pthread_t *threads; int thread_count;
};

int loader_steps(int places, int batch, bool train)
{
    return train && places >= batch ? places / batch : (places - 1) / batch + 1;
}

static bool known_broken(struct loader *l, int image)
{
    pthread_mutex_lock(&l->lock);
    const bool known = l->broken[image];
    pthread_mutex_unlock(&l->lock);
    return known;
}

/* Keeps err, which says why an image is broken, as a complaint. */
static bool complain(struct loader *l, int image, struct error *err)
{
    pthread_mutex_lock(&l->lock);
    const bool ok = l->broken[image] || string_list_add(&l->complaints, err->text, err);
    l->broken[image] = ok;
    pthread_mutex_unlock(&l->lock);
    return ok;
}

/* The input of sample_quarter: the configuration of the epoch, the quarter of a mosaic or NULL, and random numbers. */
struct sample_source { const struct data_config *data; const struct quarter *quarter; struct random random; };

struct read_request { const struct loader *loader; int image; const struct sample_source *source; };

/* Decodes an image whole if the cache will keep it, else the region that sample_quarter reads with these random
 * numbers. */
static bool read_image(const void *request, struct image *image, struct error *err)
{
    const struct read_request *r = request;
    const struct loader_config *config = &r->loader->config;
    struct image_file file = {0};
    struct image_size size;
    char *path = path_join(config->data->img_path, config->dataset->images[r->image].file, err);
    bool ok = path && image_file_read(&file, path, err);
    const struct bytes bytes = file.bytes;
    ok = ok && image_decode_size(bytes.p, bytes.size, path, &size.width, &size.height, err);
    if (ok && image_cache_has_space(config->cache, size.width, size.height)) {
        ok = image_decode(image, bytes.p, bytes.size, path, err);
    } else if (ok) {
        const struct region region = sample_region(r->source->data, size, r->source->quarter, r->source->random);
        ok = image_decode_region(image, &region, bytes.p, bytes.size, path, err);
    }
    image_file_free(&file);
    free(path);
    return ok;
}

/* The image at a place of the order, or in training the next one that is not broken; its index or -1. */
static int read_place(struct loader *l, const int *order, int place, const struct sample_source *source,
                      struct image *own, const struct image **out, struct error *err)
{
    for (int k = 0; k < l->places; k++) {
        const int image = order[(place + k) % l->places];
        if (known_broken(l, image))
            continue;
        const struct read_request request = { l, image, source };
        *out = image_cache_get(l->config.cache, image, &(struct image_reader){ read_image, &request }, own, err);
        if (*out)
            return image;
        if (!l->config.train || !err->content || !complain(l, image, err))
            return -1;
    }
    fail(err, "%s: not one of %d images can be read", l->config.data->img_path, l->images);
    return -1;
}

static struct data_config epoch_config(const struct loader_config *config, int epoch)
{
    struct data_config data = *config->data;
    if (config->epochs) {
        const struct image_size full = { data.input_size[0], data.input_size[1] };
        const struct image_size size = epoch_size(full, config->input_scale, epoch, config->epochs);
        data.input_size[0] = size.width;
        data.input_size[1] = size.height;
    }
    return data;
}

/* Draws whether a sample is a mosaic, and where its images meet. */
static bool draw_mosaic(const struct loader_config *config, int epoch, struct quarter *quarter, struct random *r)
{
    const double centre_min = 0.25, centre_max = 0.75;          /* as in YOLOv4's code */
    const struct data_config *data = config->data;
    if (!data->load_mosaic || epoch >= config->mosaic_epochs || random_unit(r) >= data->mosaic.probability)
        return false;
    for (int i = 0; i < 2; i++)
        quarter->centre[i] = random_range(r, centre_min, centre_max);
    return true;
}

/* Makes a sample, or a quarter of it, of the image at a place; the index of the image, or -1. */
static int make_part(struct loader *l, struct sample *sample, const int *order, int place, struct sample_source *source,
                     struct error *err)
{
    const struct loader_config *config = &l->config;
    struct image own = {0};
    const struct image *image;
    const int index = read_place(l, order, place, source, &own, &image, err);
    const double copies = source->data->pipeline.copy_paste;
    const bool ok = index >= 0 && sample_quarter(sample, source->data, image, source->quarter, &source->random, err)
                 && (!config->label || (sample_objects(sample, config->dataset, index, config->label, err)
                                        && copy_paste(sample, copies, &source->random, err)));
    image_free(&own);
    return ok ? index : -1;
}

static bool make_sample(struct loader *l, const struct batch *batch, int index, struct error *err)
{
    const struct loader_config *config = &l->config;
    const int place = batch->step * config->batch + index + (config->train ? config->share.first : 0);
    const int *order = l->orders[batch->epoch % LOADER_AHEAD].image;
    const struct data_config data = epoch_config(config, batch->epoch);
    struct sample_source source = { &data, NULL, random_of(config->seed, (uint64_t)batch->epoch, (uint64_t)place) };
    struct sample *sample = &batch->samples[index];
    struct quarter quarter = {0};
    if (draw_mosaic(config, batch->epoch, &quarter, &source.random))
        source.quarter = &quarter;
    sample->image = make_part(l, sample, order, place, &source, err);
    bool ok = sample->image >= 0;
    for (int k = 1; ok && k < sample->part.count; k++) {
        quarter.index = k;
        quarter.input = sample->input;
        sample->partner[k - 1] = make_part(l, sample, order, random_below(&source.random, l->places), &source, err);
        ok = sample->partner[k - 1] >= 0;
    }
    return ok;
}

static void draw_order(struct loader *l, struct order *order, int epoch)
{
    struct random random = random_of(l->config.seed, (uint64_t)epoch, UINT64_MAX);
    if (order->epoch == epoch)
        return;
    order->epoch = epoch;
    if (l->config.train)
        random_permutation(&random, l->places, order->image);
    else
        for (int i = 0; i < l->places; i++)
            order->image[i] = l->config.share.first + i;
    if (!l->repeat_end)
        return;
    repeat_images(l->repeat_end, l->images, l->places, &random, l->repeated);
    for (int p = 0; p < l->places; p++)
        order->image[p] = l->repeated[order->image[p]];
}

/* The slot of the batch whose first sample is about to be claimed. */
static void begin_batch(struct loader *l, struct slot *slot)
{
    const int epoch = (int)(l->claiming / l->steps), step = (int)(l->claiming % l->steps);
    const int left = l->places - step * l->config.batch;
    slot->finished = 0;
    slot->err = (struct error){0};
    slot->batch.epoch = epoch;
    slot->batch.step = step;
    slot->batch.n = left < l->config.batch ? left : l->config.batch;
    if (l->config.train && l->config.share.count)
        slot->batch.n = l->config.share.count;
    draw_order(l, &l->orders[epoch % LOADER_AHEAD], epoch);
}

/* A sample was made, or failed; the last one completes its batch.  Called and returns with the lock held. */
static void end_sample(struct loader *l, struct slot *slot, int index, const struct error *err)
{
    if (err->exit && (!slot->err.exit || index < slot->err_sample)) {
        slot->err = *err;
        slot->err_sample = index;
    }
    if (++slot->finished < slot->batch.n)
        return;
    if (!slot->err.exit) {
        pthread_mutex_unlock(&l->lock);
        batch_stack(&slot->batch, &l->config.data->pipeline, &slot->err);
        pthread_mutex_lock(&l->lock);
    }
    slot->ready = true;
    pthread_cond_signal(&l->ready);
}

static void *work(void *arg)
{
    struct loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (l->claiming >= l->end || l->claiming >= l->turn + LOADER_AHEAD) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        struct slot *slot = &l->slots[l->claiming % LOADER_AHEAD];
        struct error err = {0};
        if (l->claimed == 0)
            begin_batch(l, slot);
        const int index = l->claimed++;
        if (l->claimed == slot->batch.n) {
            l->claiming++;
            l->claimed = 0;
        }
        pthread_mutex_unlock(&l->lock);
        const bool ok = make_sample(l, &slot->batch, index, &err);
        pthread_mutex_lock(&l->lock);
        end_sample(l, slot, index, ok ? &(struct error){0} : &err);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool start_threads(struct loader *l, struct error *err)
{
    l->threads = new_array((size_t)l->config.workers, sizeof *l->threads, err);
    if (!l->threads)
        return false;
    while (l->thread_count < l->config.workers
           && pthread_create(&l->threads[l->thread_count], NULL, work, l) == 0)
        l->thread_count++;
    return l->thread_count > 0 || fail(err, "out of memory or threads: the loader can start no thread");
}

static bool reserve_all(struct loader *l, struct error *err)
{
    const int n = l->config.batch < l->places ? l->config.batch : l->places;
    l->broken = new_array((size_t)l->images, sizeof *l->broken, err);
    for (int i = 0; i < LOADER_AHEAD; i++) {
        l->orders[i] = (struct order){ -1, new_array((size_t)l->places, sizeof(int), err) };
        if (!l->orders[i].image || !batch_resize(&l->slots[i].batch, n, err))
            return false;
    }
    return l->broken;
}

static bool count_places(struct loader *l, struct error *err)
{
    const struct loader_config *config = &l->config;
    const double threshold = config->data->repeat_factor;
    l->places = l->images = config->dataset->image_count;
    if (!config->train && config->share.count)
        l->places = config->share.count;
    if (!config->train || threshold <= 0)
        return true;
    l->repeat_end = new_array((size_t)l->images, sizeof *l->repeat_end, err);
    l->places = l->repeat_end ? count_epoch_places(config->dataset, config->label, threshold, l->repeat_end, err) : -1;
    l->repeated = l->places >= 0 ? new_array((size_t)l->places, sizeof *l->repeated, err) : NULL;
    return l->repeated;
}

static void count_batches(struct loader *l)
{
    const struct loader_config *config = &l->config;
    l->steps = loader_steps(l->places, config->batch, config->train);
    l->turn = l->claiming = (int64_t)config->epoch * l->steps + config->step;
    l->end = config->train ? INT64_MAX : ((int64_t)config->epoch + 1) * l->steps;
}

struct loader *loader_open(const struct loader_config *config, struct error *err)
{
    if (config->dataset->image_count < 1) {
        fail(err, "%s: no images", config->data->ann_path);
        return NULL;
    }
    struct loader *l = new_array(1, sizeof *l, err);
    if (!l)
        return NULL;
    l->config = *config;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    bool ok = count_places(l, err);
    if (ok) {
        count_batches(l);
        ok = reserve_all(l, err) && start_threads(l, err);
    }
    if (ok)
        return l;
    loader_close(l);
    return NULL;
}

void loader_close(struct loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->thread_count; i++)
        pthread_join(l->threads[i], NULL);
    for (int i = 0; i < LOADER_AHEAD; i++) {
        batch_free(&l->slots[i].batch);
        free(l->orders[i].image);
    }
    free(l->repeat_end);
    free(l->repeated);
    free(l->threads);
    free(l->broken);
    string_list_free(&l->complaints);
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

bool loader_next(struct loader *l, const struct batch **batch, struct error *err)
{
    pthread_mutex_lock(&l->lock);
    if (l->lent) {
        l->slots[l->turn++ % LOADER_AHEAD].ready = false;
        pthread_cond_broadcast(&l->work);
    }
    l->lent = l->turn < l->end;
    struct slot *slot = &l->slots[l->turn % LOADER_AHEAD];
    while (l->lent && !slot->ready)
        pthread_cond_wait(&l->ready, &l->lock);
    pthread_mutex_unlock(&l->lock);
    *batch = l->lent ? &slot->batch : NULL;
    return !l->lent || !slot->err.exit || fail(err, "%s", slot->err.text);
}

bool loader_complaint(struct loader *l, struct error *line)
{
    pthread_mutex_lock(&l->lock);
    const bool found = l->complaints_taken < l->complaints.count;
    if (found)
        fail(line, "%s", l->complaints.list[l->complaints_taken++]);
    pthread_mutex_unlock(&l->lock);
    return found;
}
