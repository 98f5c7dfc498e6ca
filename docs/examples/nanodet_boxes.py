"""Pre-processing of an image and post-processing of the outputs of exported networks."""
import numpy as np

IOU, KEPT, MULTIPLE = 0.6, 100, 32


def positions(count, scale, shift, extent):
    """For each of count output pixels: the source pixels at the left and right, plus one for a border, and the weight
    of the right one.  In 32 bits, as in the program, so that halves are rounded in the same direction."""
    at = (np.arange(count) * np.float64(np.float32(1 / scale)) + np.float32(-shift / scale)).astype(np.float32)
    first = np.floor(at).astype(int)
    return (first + 1).clip(0, extent + 1), (first + 2).clip(0, extent + 1), at - first.astype(np.float32)


def resample(image, size, scale, shift):
    """Bilinear, integer pixel centres, black outside of the image, rounded.  (cv2.warpPerspective of OpenCV 5
    gives the same; OpenCV 4 rounds positions to 1/32 of a pixel, which moves scores by about 0.01.)"""
    bordered = np.pad(image, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
    left, right, x = positions(size[0], scale[0], shift[0], image.shape[1])
    top, bottom, y = positions(size[1], scale[1], shift[1], image.shape[0])
    x, y = x[None, :, None], y[:, None, None]
    upper = bordered[top][:, left] + x * (bordered[top][:, right] - bordered[top][:, left])
    lower = bordered[bottom][:, left] + x * (bordered[bottom][:, right] - bordered[bottom][:, left])
    return np.rint(upper + y * (lower - upper))


def prepare(image, size, resize, mean, deviation):
    """The input [1, 3, height, width] for an image [h, w, 3] in the order B, G, R, and the scale and shift
    from the image to the input.  size: data.val.input_size, width and height; resize: data.val.resize."""
    sides, size = np.array(image.shape[1::-1]), np.array(size)
    scale = size / sides
    if resize == "keep":                        # the largest size with the shape of the image that fits
        size = np.maximum((scale.min() * sides).astype(int), 1)
        scale = size / sides
    if resize != "stretch":                     # letterbox: centred, with a black border
        scale = scale.min().repeat(2)
    shift = (size - scale * sides) / 2
    pixels = (resample(image, size, scale, shift) - np.float32(mean)) / np.float32(deviation)
    width, height = -(-size // MULTIPLE) * MULTIPLE
    data = np.zeros((1, 3, height, width), np.float32)          # 0 to the right and below, after normalisation
    data[0, :, :size[1], :size[0]] = pixels.transpose(2, 0, 1)
    return data, (scale, shift)


def decode(output, classes, strides, offset, width, height):
    """Boxes [P, 4] in pixels of the input, x1 y1 x2 y2, and scores [P, classes] of a raw output
    [P, classes + 4 (reg_max + 1)].  offset: 0 for NanoDet-Plus, 0.5 for NanoDet."""
    priors = []
    for stride in strides:
        y, x = np.mgrid[:-(-height // stride), :-(-width // stride)]
        priors.append(np.stack([x.ravel() + offset, y.ravel() + offset, np.ones(x.size)], 1) * stride)
    x, y, stride = np.concatenate(priors).T[:, :, None]
    bins = output[:, classes:].astype(np.float64).reshape(len(output), 4, -1)
    bins = np.exp(bins - bins.max(2, keepdims=True))            # softmax; the mean is a distance in strides
    sides = (bins @ np.arange(bins.shape[2]) / bins.sum(2)) * stride
    boxes = np.concatenate([x - sides[:, :1], y - sides[:, 1:2], x + sides[:, 2:3], y + sides[:, 3:]], 1)
    return boxes.clip(0, [width, height, width, height]), output[:, :classes]


def overlaps(box, boxes):
    """IoU of a box with each of several."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = sides.clip(0).prod(1)
    return common / np.maximum((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - common, 1e-6)


def suppress(boxes, scores, score):
    """Boxes, scores and classes of at most 100 detections, best first: non-maximum suppression per class."""
    prior, label = np.nonzero(scores > score)
    order = np.argsort(-scores[prior, label], kind="stable")
    prior, label, kept = prior[order], label[order], []
    while len(prior) and len(kept) < KEPT:
        kept.append((prior[0], label[0]))
        near = (label == label[0]) & (overlaps(boxes[prior[0]], boxes[prior]) > IOU)
        near[0] = True
        prior, label = prior[~near], label[~near]
    prior, label = np.array(kept, int).reshape(-1, 2).T
    return boxes[prior], scores[prior, label], label


def to_image(boxes, placement, image):
    """Boxes of the input as boxes of the image; placement: the scale and shift of prepare."""
    (scale, shift), (h, w) = placement, image.shape[:2]
    return ((boxes - np.tile(shift, 2)) / np.tile(scale, 2)).clip(0, [w, h, w, h])


def show(file, boxes, scores, labels, names):
    """A line per detection: file, class, score, x, y, width, height."""
    for (x1, y1, x2, y2), score, label in zip(boxes, scores, labels):
        print(f"{file}\t{names[label]}\t{score:.5f}\t{x1:.3f}\t{y1:.3f}\t{x2 - x1:.3f}\t{y2 - y1:.3f}")
