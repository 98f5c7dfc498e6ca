#include "model/criterion.h"

static const struct key loss_keys[] = {
    { "loss_qfl.name",        .type = KEY_IGNORED, .help = "always QualityFocalLoss" },
    { "loss_qfl.use_sigmoid", .type = KEY_IGNORED, .help = "always true" },
    { "loss_qfl.beta",        FIELD(loss_config, beta),        "2.0",  0, 16,  "exponent of the modulating factor" },
    { "loss_qfl.loss_weight", FIELD(loss_config, qfl_weight),  "1.0",  0, 1e6, "of the quality focal loss" },
    { "loss_dfl.name",        .type = KEY_IGNORED, .help = "always DistributionFocalLoss" },
    { "loss_dfl.loss_weight", FIELD(loss_config, dfl_weight),  "0.25", 0, 1e6, "of the distribution focal loss" },
    { "loss_bbox.name",       .type = KEY_IGNORED, .help = "always GIoULoss" },
    { "loss_bbox.loss_weight", FIELD(loss_config, bbox_weight), "2.0", 0, 1e6, "of the GIoU loss" },
    {0} };

static const struct key dsl_keys[] = {
    { "topk",           FIELD(loss_config, dsl.topk),           "13",   1, 10000, "IoUs summed to the number of priors" },
    { "iou_factor",     FIELD(loss_config, dsl.iou_factor),     "3.0",  0, 1e6,   "weight of the IoU in the cost" },
    { "ignore_iof_thr", FIELD(loss_config, dsl.ignore_iof_thr), "-1.0", -1, 1,
      "priors whose box lies in an ignore region by more than this part take no part; not positive: all do" },
    {0} };

bool criterion_read(const struct model *m, struct loss_config *c, struct error *err)
{
    *c = loss_plus_preset;
    c->classes = m->shape.num_classes;
    c->reg_max = m->shape.reg_max;
    return section_read(m->config, "model.arch.head.loss", loss_keys, c, err)
        && section_read(m->config, "model.arch.head.assigner_cfg", dsl_keys, c, err);
}

bool criterion_grid(const struct model *m, int n, int h, int w, struct prior_grid *grid, struct error *err)
{
    const double cell_corner = 0;
    return prior_grid_init(grid, m->shape.strides.at, m->shape.strides.count, cell_corner, n, h, w, err);
}
