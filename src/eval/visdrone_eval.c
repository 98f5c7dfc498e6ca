#include "eval/visdrone_eval.h"

#include "base/memory.h"
#include "eval/ignored_regions.h"
#include "eval/match.h"
#include <stdlib.h>
#include <string.h>

static const int limits[VISDRONE_LIMITS] = { 1, 10, 100, 500 };
enum { LIMIT_500 = 3, MEAN = -1, AT_50 = 0, AT_75 = 5 };

enum of { PRECISION, RECALL };
static const struct visdrone_figure { const char *column; enum of of; int limit, iou; } figures[VISDRONE_FIGURES] = {
    { VISDRONE_PREFIX "AP",    PRECISION, LIMIT_500, MEAN },
    { VISDRONE_PREFIX "AP50",  PRECISION, LIMIT_500, AT_50 },
    { VISDRONE_PREFIX "AP75",  PRECISION, LIMIT_500, AT_75 },
    { VISDRONE_PREFIX "AR1",   RECALL,    0,         MEAN },
    { VISDRONE_PREFIX "AR10",  RECALL,    1,         MEAN },
    { VISDRONE_PREFIX "AR100", RECALL,    2,         MEAN },
    { VISDRONE_PREFIX "AR500", RECALL,    LIMIT_500, MEAN } };

const char *visdrone_figure_column(int i) { return figures[i].column; }
const char *visdrone_figure_name(int i) { return figures[i].column + strlen(VISDRONE_PREFIX); }

enum { REGION = -2, NO_CLASS = -1 };

struct visdrone_job {
    const struct dataset *gt;
    const struct detections *dets;
    struct grouping dets_in;                    /* detections by image */
    struct grouping gt_of, dets_of;             /* by class, without dropped ones */
    int *class_of;                              /* [categories] 0 to 9, REGION or NO_CLASS */
    int *gt_class, *dets_class;                 /* [annotations], [detections]; NO_CLASS: dropped or not evaluated */
    int *row;                                   /* [detections] place among those of its image that are kept */
    bool *no_memory;                            /* [images] */
    struct kept *kept;                          /* [images] */
    struct match_detection *hits;               /* [detections] */
    struct match_object *objects;               /* [annotations], as are the next two */
    struct match_overlap *overlaps;
    double *precision;
    struct visdrone_class *classes;
};

static bool is_region(const struct visdrone_job *k, const struct annotation *a)
{
    return k->class_of[a->category] == REGION;
}

/* Stays {0} if the image has no ignored region. */
static bool read_regions(struct regions *r, const struct visdrone_job *k, const struct image_record *image)
{
    *r = (struct regions){0};
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *a = &k->gt->annotations[i];
        if (!is_region(k, a))
            continue;
        if (!r->sum && !regions_init(r, image->width, image->height, NULL))
            return false;
        regions_mark(r, a->box);
    }
    if (r->sum)
        regions_close(r);
    return true;
}

static bool dropped(const struct regions *r, const double box[4]) { return r->sum && regions_cover(r, box); }

/* Decides what of an image is kept, and gives its detections their rows. */
static void drop_in_image(const void *job, int index)
{
    const struct visdrone_job *k = job;
    const struct image_record *image = &k->gt->images[index];
    const struct members own = members_of(&k->dets_in, index);
    struct kept *kept = &k->kept[index];
    struct regions regions;
    k->no_memory[index] = !read_regions(&regions, k, image);
    if (k->no_memory[index])
        return;
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *a = &k->gt->annotations[i];
        const bool keep = !is_region(k, a) && !dropped(&regions, a->box);
        k->gt_class[i] = keep ? k->class_of[a->category] : NO_CLASS;
        kept->objects += keep;
    }
    for (int i = 0; i < own.count; i++) {
        const struct detection *d = &k->dets->list[own.order[i]];
        const bool keep = !dropped(&regions, d->box);
        const int class = keep && d->category >= 0 ? k->class_of[d->category] : NO_CLASS;
        k->dets_class[own.order[i]] = class == REGION ? NO_CLASS : class;
        k->row[own.order[i]] = kept->detections;
        kept->detections += keep;
    }
    regions_free(&regions);
}

static int list_objects(const struct visdrone_job *k, int class, struct match_object *objects)
{
    struct visdrone_class *c = &k->classes[class];
    const struct members own = members_of(&k->gt_of, class);
    for (int i = 0; i < own.count; i++) {
        const struct annotation *a = &k->gt->annotations[own.order[i]];
        objects[i] = (struct match_object){ .ground_truth = a, .crowd = a->ignore, .ignored = a->ignore ? ~0u : 0 };
        c->images += i == 0 || a->image != objects[i - 1].ground_truth->image;
        *(a->ignore ? &c->ignored : &c->objects) += 1;
    }
    return own.count;
}

static int list_hits(const struct visdrone_job *k, int class, struct match_detection *hits)
{
    const struct members own = members_of(&k->dets_of, class);
    for (int i = 0; i < own.count; i++) {
        const struct detection *d = &k->dets->list[own.order[i]];
        hits[i] = (struct match_detection){ .detection = d, .score = d->score, .image = d->image };
        for (int g = 0; g < VISDRONE_LIMITS; g++)
            hits[i].groups |= (unsigned)(k->row[own.order[i]] < limits[g]) << g;
    }
    match_sort(hits, own.count);
    return own.count;
}

static void evaluate_class(const void *job, int class)
{
    const struct visdrone_job *k = job;
    const int first = k->gt_of.start[class];
    struct visdrone_class *c = &k->classes[class];
    struct match_detection *hits = k->hits + k->dets_of.start[class];
    struct match_object *objects = k->objects + first;
    double *precision = k->precision + first;
    const int object_count = list_objects(k, class, objects), count = list_hits(k, class, hits);
    match_class(hits, count, objects, object_count, k->overlaps + first);
    for (int g = 0; object_count && g < VISDRONE_LIMITS; g++)
        for (int t = 0; t < VISDRONE_IOUS; t++) {
            const int found = match_precision(hits, count, match_setting(g, t), 0, precision);
            c->ar[g][t] = (double)found / object_count;
            if (g == LIMIT_500)
                c->ap[t] = found ? mean(precision, found) * c->ar[g][t] : 0;
        }
    for (int i = 0; i < VISDRONE_FIGURES; i++) {
        const struct visdrone_figure *f = &figures[i];
        const double *value = f->of == PRECISION ? c->ap : c->ar[f->limit];
        c->figures[i] = !object_count ? -1 : f->iou == MEAN ? mean(value, VISDRONE_IOUS) : value[f->iou];
    }
}

static void average(struct visdrone_score *score)
{
    for (int i = 0; i < VISDRONE_FIGURES; i++) {
        double weighted = 0, plain = 0;
        int images = 0, present = 0;
        for (const struct visdrone_class *c = score->classes; c < score->classes + VISDRONE_CLASSES; c++)
            if (c->images) {
                weighted += c->images * c->figures[i];
                plain += c->figures[i];
                images += c->images;
                present++;
            }
        score->figures[i] = images ? weighted / images : -1;
        score->class_mean[i] = present ? plain / present : -1;
    }
}

static bool name_classes(struct visdrone_score *score, const struct visdrone_job *k, struct error *err)
{
    for (int i = 0; i < VISDRONE_CLASSES; i++) {
        score->classes[i].id = i + 1;
        score->classes[i].name = "";
    }
    for (int i = 0; i < k->gt->category_count; i++) {
        const struct category *c = &k->gt->categories[i];
        if (c->id < 0 || c->id > VISDRONE_CLASSES + 1)
            return fail(err, "the VisDrone protocol has categories 0 to 11, not %lld", (long long)c->id);
        k->class_of[i] = c->id == 0 ? REGION : c->id > VISDRONE_CLASSES ? NO_CLASS : (int)c->id - 1;
        if (k->class_of[i] >= 0)
            score->classes[k->class_of[i]].name = c->name;
    }
    return true;
}

static bool check_sizes(const struct visdrone_job *k, struct error *err)
{
    for (int i = 0; i < k->gt->annotation_count; i++) {
        const struct annotation *a = &k->gt->annotations[i];
        const struct image_record *image = &k->gt->images[a->image];
        if (is_region(k, a) && (image->width < 1 || image->height < 1 || image->width > REGION_PIXELS / image->height))
            return fail(err, "image %lld %s: its ignored regions need its size, up to 2^26 pixels, but that is %d x %d",
                        (long long)image->id, image->file, image->width, image->height);
    }
    return true;
}

static bool start(struct visdrone_job *k, struct visdrone_score *score, struct error *err)
{
    const size_t images = (size_t)k->gt->image_count, objects = (size_t)k->gt->annotation_count;
    const size_t hits = (size_t)k->dets->count;
    k->classes = score->classes;
    return (k->class_of = new_array((size_t)k->gt->category_count, sizeof *k->class_of, err))
        && (k->gt_class = new_array(objects, sizeof *k->gt_class, err))
        && (k->objects = new_array(objects, sizeof *k->objects, err))
        && (k->overlaps = new_array(objects, sizeof *k->overlaps, err))
        && (k->precision = new_array(objects, sizeof *k->precision, err))
        && (k->dets_class = new_array(hits, sizeof *k->dets_class, err))
        && (k->row = new_array(hits, sizeof *k->row, err))
        && (k->hits = new_array(hits, sizeof *k->hits, err))
        && (k->no_memory = new_array(images, sizeof *k->no_memory, err))
        && (k->kept = score->kept = new_array(images, sizeof *k->kept, err))
        && name_classes(score, k, err)
        && check_sizes(k, err)
        && group_by(&k->dets_in, hits ? &k->dets->list->image : NULL, sizeof *k->dets->list, k->dets->count,
                    k->gt->image_count, err);
}

static bool drop(struct visdrone_job *k, const struct team *team, struct error *err)
{
    team_for(team, k->gt->image_count, drop_in_image, k);
    for (int i = 0; i < k->gt->image_count; i++)
        if (k->no_memory[i])
            return fail(err, "image %lld: out of memory for its ignored regions", (long long)k->gt->images[i].id);
    return group_by(&k->gt_of, k->gt_class, sizeof *k->gt_class, k->gt->annotation_count,
                    VISDRONE_CLASSES, err)
        && group_by(&k->dets_of, k->dets_class, sizeof *k->dets_class, k->dets->count, VISDRONE_CLASSES, err);
}

static void job_free(struct visdrone_job *k)
{
    grouping_free(&k->dets_in);
    grouping_free(&k->gt_of);
    grouping_free(&k->dets_of);
    free(k->class_of);
    free(k->gt_class);
    free(k->dets_class);
    free(k->row);
    free(k->no_memory);
    free(k->hits);
    free(k->objects);
    free(k->overlaps);
    free(k->precision);
}

bool visdrone_eval(struct visdrone_score *score, const struct dataset *gt, const struct detections *dets,
                   const struct team *team, struct error *err)
{
    struct visdrone_job k = { .gt = gt, .dets = dets };
    *score = (struct visdrone_score){ .image_count = gt->image_count };
    const bool ok = start(&k, score, err) && drop(&k, team, err);
    if (ok) {
        team_for(team, VISDRONE_CLASSES, evaluate_class, &k);
        average(score);
    } else
        visdrone_score_free(score);
    job_free(&k);
    return ok;
}

void visdrone_score_free(struct visdrone_score *score)
{
    free(score->kept);
    *score = (struct visdrone_score){0};
}
