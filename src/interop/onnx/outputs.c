/* The outputs of an exported network: scores and bins, boxes, or boxes after non-maximum suppression. */
#include "interop/onnx/write.h"

static struct value_name transpose(struct emitter *e, const char *out, const char *x)
{
    return emit(e, out, "Transpose", (const char *const[]){ x, NULL }, "perm=[0,2,1]");
}

/* Concatenates along the axis. */
static struct value_name concat(struct emitter *e, const struct value_name *parts, int count, int axis)
{
    const char *list[LAYER_OPERANDS + 1] = {0};
    for (int i = 0; i < count; i++)
        list[i] = parts[i].s;
    return emit(e, NULL, "Concat", list, "axis=%d", axis);
}

/* [n][channels][h][w] as [n][channels][h w] */
static struct value_name pixels_in_line(struct emitter *e, const char *x, int channels)
{
    return emit_two(e, "Reshape", x, emit_ints(e, (const int64_t[]){ 0, channels, -1 }, 3).s);
}

static struct value_name scores_of(struct emitter *e, const struct network *net, const char *level)
{
    return emit_one(e, "Sigmoid", emit_channels(e, level, 0, net->classes).s);
}

static struct value_name bins_of(struct emitter *e, const struct network *net, const char *level)
{
    return emit_channels(e, level, net->classes, net->classes + 4 * (net->reg_max + 1));
}

/* ---- boxes ---- */

static struct value_name whole(struct emitter *e, int number)
{
    return emit(e, NULL, "Constant", (const char *const[]){ NULL }, "value_int=%d", number);
}

static struct value_name as_floats(struct emitter *e, const char *x)
{
    return emit(e, NULL, "Cast", (const char *const[]){ x, NULL }, "to=1");
}

/* The coordinate 0, 1, 2, ... along an axis of each pixel of a map of the given shape: [1][h w] */
static struct value_name pixel_coordinates(struct emitter *e, const char *shape, int axis)
{
    const int64_t column[] = { -1, 1 }, row[] = { 1, -1 };
    const struct value_name zero = whole(e, 0), one = whole(e, 1), two = emit_ints(e, &(int64_t){ 2 }, 1);
    const struct value_name four = emit_ints(e, &(int64_t){ 4 }, 1), line = emit_ints(e, row, 2);
    const struct value_name count = emit_two(e, "Gather", shape, whole(e, axis).s);
    const struct value_name steps = emit(e, NULL, "Range", (const char *const[]){ zero.s, count.s, one.s, NULL }, NULL);
    const struct value_name along = emit_ints(e, axis == 2 ? column : row, 2);
    const struct value_name shaped = emit_two(e, "Reshape", as_floats(e, steps.s).s, along.s);
    const struct value_name size = emit(e, NULL, "Slice", (const char *const[]){ shape, two.s, four.s, NULL }, NULL);
    return emit_two(e, "Reshape", emit_two(e, "Expand", shaped.s, size.s).s, line.s);
}

/* The priors of a level as x, y, x, y: [4][h w] */
static struct value_name priors_of(struct emitter *e, const struct onnx_options *o, const char *level, int stride)
{
    const struct value_name shape = emit_one(e, "Shape", level);
    const struct value_name x = pixel_coordinates(e, shape.s, 3), y = pixel_coordinates(e, shape.s, 2);
    const struct value_name cells = concat(e, (const struct value_name[]){ x, y, x, y }, 4, 0);
    const struct value_name moved = emit_two(e, "Add", cells.s, emit_float(e, (float)o->prior_offset).s);
    return emit_two(e, "Mul", moved.s, emit_float(e, (float)stride).s);
}

/* Boxes around the priors, [n][4][h w]: the mean of the bins' distribution is a distance in strides. */
static struct value_name boxes_of(struct emitter *e, const struct network *net, const struct onnx_options *o,
                                  const char *level, int stride)
{
    const int bins = net->reg_max + 1;
    const float s = (float)stride, sides[4] = { -s, -s, s, s };
    float project[ONNX_REG_MAX + 1];
    for (int i = 0; i < bins; i++)
        project[i] = (float)i;
    const struct value_name cut = emit_ints(e, (const int64_t[]){ 0, 4, bins, -1 }, 4);
    const struct value_name side = emit_two(e, "Reshape", bins_of(e, net, level).s, cut.s);
    const struct value_name probabilities = emit(e, NULL, "Softmax", (const char *const[]){ side.s, NULL }, "axis=2");
    const struct value_name column = emit_floats(e, project, 2, (const size_t[]){ (size_t)bins, 1 });
    const struct value_name weighted = emit_two(e, "Mul", probabilities.s, column.s);
    const struct value_name two = emit_ints(e, &(int64_t){ 2 }, 1);
    const struct value_name mean = emit(e, NULL, "ReduceSum", (const char *const[]){ weighted.s, two.s, NULL },
                                        "keepdims=0");
    const struct value_name distances = emit_two(e, "Mul", mean.s,
                                                 emit_floats(e, sides, 2, (const size_t[]){ 4, 1 }).s);
    return emit_two(e, "Add", distances.s, priors_of(e, o, level, stride).s);
}

/* Clips boxes to the image. */
static struct value_name clip_to_image(struct emitter *e, const char *boxes)
{
    const struct value_name order = emit_ints(e, (const int64_t[]){ 3, 2, 3, 2 }, 4);
    const struct value_name column = emit_ints(e, (const int64_t[]){ 4, 1 }, 2);
    const struct value_name sides = emit_two(e, "Gather", emit_one(e, "Shape", "data").s, order.s);
    const struct value_name most = emit_two(e, "Reshape", as_floats(e, sides.s).s, column.s);
    return emit_two(e, "Min", emit_one(e, "Relu", boxes).s, most.s);
}

/* The best class of each prior, [1][1][P], the first of equal ones: its score (ReduceMax) or its number (ArgMax). */
static struct value_name best_class(struct emitter *e, const char *op, const char *scores, const char *axis)
{
    return emit(e, NULL, op, (const char *const[]){ scores, NULL }, "%s", axis);
}

/* NMS of one image: boxes [1][4][P], scores [1][classes][P].  Class-agnostic NMS needs only the best class of each
 * prior, since all classes of a prior share its box. */
static void suppress(struct emitter *e, const struct onnx_options *o, const char *boxes, const char *scores)
{
    struct value_name best = {0}, number = {0};
    if (o->class_agnostic) {
        best = best_class(e, "ReduceMax", scores, "axes=[1]");
        number = best_class(e, "ArgMax", scores, "axis=1");
        scores = best.s;
    }
    const struct value_name corners = transpose(e, NULL, boxes), most = emit_ints(e, &(int64_t){ o->kept }, 1);
    const struct value_name overlap = emit_float(e, (float)o->iou_thr), least = emit_float(e, (float)o->score_thr);
    const struct value_name kept = emit(e, NULL, "NonMaxSuppression", (const char *const[]){
        corners.s, scores, most.s, overlap.s, least.s, NULL }, NULL);           /* rows of image, class, box */
    const struct value_name all = emit_two(e, "GatherND", scores, kept.s);
    const struct value_name count = emit_two(e, "Min", emit_one(e, "Shape", all.s).s, most.s);
    const struct value_name rows = emit_two(e, "Gather", kept.s, emit_largest(e, "scores", all.s, count.s).s);
    const struct value_name one = whole(e, 1), two = whole(e, 2), first = whole(e, 0);
    if (o->class_agnostic)
        emit(e, "labels", "GatherND", (const char *const[]){ number.s, rows.s, NULL }, NULL);
    else
        emit(e, "labels", "Gather", (const char *const[]){ rows.s, one.s, NULL }, "axis=1");
    const struct value_name box = emit(e, NULL, "Gather", (const char *const[]){ rows.s, two.s, NULL }, "axis=1");
    const struct value_name image = emit_two(e, "Gather", corners.s, first.s);
    emit(e, "boxes", "Gather", (const char *const[]){ image.s, box.s, NULL }, NULL);
}

/* ---- outputs ---- */

/* The number of priors of an image of the network's input size; 0 if the size is dynamic. */
static int64_t prior_count(const struct network *net, const struct onnx_options *o)
{
    int64_t count = 0;
    for (int i = 0; !o->any_size && i < net->output_count; i++) {
        const int s = net->strides[i];
        count += (int64_t)((net->input_h + s - 1) / s) * ((net->input_w + s - 1) / s);
    }
    return count;
}

static void declare(struct emitter *e, const struct network *net, const struct onnx_options *o)
{
    const int64_t count = prior_count(net, o);
    const struct extent images = { o->images, o->images ? NULL : "batch" }, priors = { count, count ? NULL : "priors" };
    const struct extent found = { 0, "detections" }, classes = { net->classes, NULL }, sides = { 4, NULL };
    const struct extent row = { net->classes + 4 * (net->reg_max + 1), NULL };
    switch (o->output) {
    case ONNX_RAW:
        emit_declare(e, EMIT_OUTPUT, "output", false, (const struct extent[]){ images, priors, row }, 3);
        break;
    case ONNX_DECODED:
        emit_declare(e, EMIT_OUTPUT, "boxes", false, (const struct extent[]){ images, priors, sides }, 3);
        emit_declare(e, EMIT_OUTPUT, "scores", false, (const struct extent[]){ images, priors, classes }, 3);
        break;
    case ONNX_SUPPRESSED:
        emit_declare(e, EMIT_OUTPUT, "boxes", false, (const struct extent[]){ found, sides }, 2);
        emit_declare(e, EMIT_OUTPUT, "scores", false, &found, 1);
        emit_declare(e, EMIT_OUTPUT, "labels", true, &found, 1);
    }
}

void emit_outputs(struct emitter *e, const struct network *net, const struct onnx_options *o, const char *const *level)
{
    struct value_name first[LAYER_OPERANDS], second[LAYER_OPERANDS];
    const int levels = net->output_count;
    for (int i = 0; i < levels; i++) {
        const struct value_name scores = scores_of(e, net, level[i]);
        if (o->output == ONNX_RAW) {
            const struct value_name bins = bins_of(e, net, level[i]);
            const struct value_name row = concat(e, (const struct value_name[]){ scores, bins }, 2, 1);
            first[i] = pixels_in_line(e, row.s, net->classes + 4 * (net->reg_max + 1));
        } else {
            first[i] = pixels_in_line(e, scores.s, net->classes);
            second[i] = boxes_of(e, net, o, level[i], net->strides[i]);
        }
    }
    e->name = "output";
    const struct value_name all = concat(e, first, levels, 2);
    if (o->output == ONNX_RAW)
        transpose(e, "output", all.s);
    else {
        const struct value_name boxes = clip_to_image(e, concat(e, second, levels, 2).s);
        if (o->output == ONNX_SUPPRESSED)
            suppress(e, o, boxes.s, all.s);
        else {
            transpose(e, "boxes", boxes.s);
            transpose(e, "scores", all.s);
        }
    }
    declare(e, net, o);
}
