#include "model/criterion.h"

/* QFL and DFL have one implementation each; other names are an error. */
enum only { ONLY };
struct head_loss { struct loss_config loss; enum only qfl, dfl; bool use_sigmoid; };

static const struct word qfl_words[] = { { "QualityFocalLoss", ONLY }, {0} };
static const struct word dfl_words[] = { { "DistributionFocalLoss", ONLY }, {0} };
static const struct word bbox_words[] = {
#define BOX_LOSS_WORD(name, ...) { #name, BOX_##name },
    BOX_LOSSES(BOX_LOSS_WORD)
    {0} };

static const struct key loss_keys[] = {
    { "loss_qfl.name",        WORDS(head_loss, qfl, qfl_words),    "QualityFocalLoss", 0, 0, "loss of the classes" },
    { "loss_qfl.use_sigmoid", FIELD(head_loss, use_sigmoid),       "true", 0, 0,   "only true is known" },
    { "loss_qfl.beta",        FIELD(head_loss, loss.beta),         "2.0",  0, 16,
      "exponent of the modulating factor" },
    { "loss_qfl.loss_weight", FIELD(head_loss, loss.qfl_weight),   "1.0",  0, 1e6, "of the quality focal loss" },
    { "loss_dfl.name",        WORDS(head_loss, dfl, dfl_words), "DistributionFocalLoss", 0, 0,
      "loss of the distances" },
    { "loss_dfl.loss_weight", FIELD(head_loss, loss.dfl_weight),   "0.25", 0, 1e6, "of the distribution focal loss" },
    { "loss_bbox.name",       WORDS(head_loss, loss.box_loss, bbox_words), "GIoULoss", 0, 0, "loss of the boxes" },
    { "loss_bbox.loss_weight", FIELD(head_loss, loss.bbox_weight), "2.0",  0, 1e6, "of the loss of the boxes" },
    {0} };

static const struct key dsl_keys[] = {
    { "topk",           FIELD(head_loss, loss.dsl.topk),           "13",   1, 10000,
      "IoUs summed to the number of priors" },
    { "iou_factor",     FIELD(head_loss, loss.dsl.iou_factor),     "3.0",  0, 1e6,   "weight of the IoU in the cost" },
    { "dis_alpha",      FIELD(head_loss, loss.dsl.dis_alpha),      "0",    0, 1000,
      "base of the cost of the distance between centres; 0: no such cost" },
    { "dis_beta",       FIELD(head_loss, loss.dsl.dis_beta),       "3",    -100, 100,
      "distance, in strides, whose cost is 1" },
    { "nwd",            FIELD(head_loss, loss.dsl.nwd),            "0",    0, 1,
      "weight of the normalised Wasserstein distance in the overlap of boxes; the rest is the IoU" },
    { "nwd_scale",      FIELD(head_loss, loss.dsl.nwd_scale),      "12.8", 0.001, 1e4,
      "pixels of the input that divide that distance: the mean size of objects" },
    { "ignore_iof_thr", FIELD(head_loss, loss.dsl.ignore_iof_thr), "-1.0", -1, 1,
      "priors whose box lies in an ignore region by more than this part take no part; not positive: all do" },
    {0} };

/* The keys of each family's assigner; NULL: none. */
static const struct key *const assigner_keys[LOSS_FAMILIES] = { [LOSS_PLUS] = dsl_keys };

bool criterion_read(const struct model *m, struct loss_config *c, struct error *err)
{
    const struct key *keys = assigner_keys[m->head->family];
    struct head_loss read = { .loss = loss_presets[m->head->family] };
    read.loss.classes = m->shape.num_classes;
    read.loss.reg_max = m->shape.reg_max;
    read.loss.atss.anchor_scale = m->shape.octave_base_scale;
    read.loss.atss.ignore_iof_thr = m->shape.ignore_iof_thr;
    if (!section_read(m->config, "model.arch.head.loss", loss_keys, &read, err)
        || (keys && !section_read(m->config, "model.arch.head.assigner_cfg", keys, &read, err)))
        return false;
    *c = read.loss;
    return read.use_sigmoid || misuse(err, "%s: only true is known",
                                      config_place(m->config, "model.arch.head.loss.loss_qfl.use_sigmoid").s);
}

void write_criterion_manual(struct strbuf *out)
{
    strbuf_addf(out, "\n");
    write_keys_manual("model.arch.head.loss", loss_keys, out);
    for (int family = 0; family < LOSS_FAMILIES; family++)
        if (assigner_keys[family])
            write_keys_manual("model.arch.head.assigner_cfg", assigner_keys[family], out);
}

bool criterion_grid(const struct model *m, int n, int h, int w, struct prior_grid *grid, struct error *err)
{
    return prior_grid_init(grid, m->shape.strides.at, m->shape.strides.count, criteria[m->head->family].prior_offset, n,
                           h, w, err);
}
