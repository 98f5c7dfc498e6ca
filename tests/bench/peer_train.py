#!/usr/bin/env python3
"""The time of PyTorch for a training step of NanoDet-Plus-m 320 (ShuffleNetV2 1.0x) on the CPU: the peer of
`nanodet bench CONFIG --mode train`.

A step is forward, assignment, the losses of both heads, backward, clipping, AdamW and the moving average of parameters
and buffers, on generated images with eight boxes each; nothing is loaded.  It is written for speed: pixels are stored
channels last; clipping, optimizer and average go over all tensors at once.  Parameters have their official names.
Where other work runs beside it, OMP_WAIT_POLICY=passive keeps its waiting threads from taking several times as long.
"""
import argparse
import json
import resource
import statistics
import time
from collections import OrderedDict
from itertools import chain

import torch
from torch import nn
from torch.nn import functional as F

SIZE, CLASSES, REG_MAX, STRIDES = 320, 80, 7, (8, 16, 32, 64)
STAGES = (24, 116, 232, 464)        # channels of the stem and of stages 2 to 4
NECK, AUX = 96, 192                 # channels of a neck and of the auxiliary head, which reads two necks
BOXES = 8                           # objects an image
TOP_K, IOU_FACTOR = 13, 3           # of the assigner
AVERAGE_RATE = 0.0002               # weight of the newest parameters in their moving average


# Layers

def layers(**named):
    return nn.Sequential(OrderedDict(named))


def activation():
    return nn.LeakyReLU(0.1, inplace=True)


def pointwise(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 1, bias=False)


def depthwise(channels, kernel, stride=1):
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


def separable(channels, stride=1):
    """A depthwise and a pointwise convolution, each with norm and activation."""
    return layers(depthwise=depthwise(channels, 5, stride), dwnorm=nn.BatchNorm2d(channels), dwact=activation(),
                  pointwise=pointwise(channels, channels), pwnorm=nn.BatchNorm2d(channels), pwact=activation())


# Backbone: ShuffleNetV2 (Ma et al. 2018)

class ShuffleUnit(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        half = outputs // 2
        self.branch1 = None if stride == 1 else nn.Sequential(
            depthwise(inputs, 3, stride), nn.BatchNorm2d(inputs),
            pointwise(inputs, half), nn.BatchNorm2d(half), activation())
        self.branch2 = nn.Sequential(
            pointwise(half if stride == 1 else inputs, half), nn.BatchNorm2d(half), activation(),
            depthwise(half, 3, stride), nn.BatchNorm2d(half),
            pointwise(half, half), nn.BatchNorm2d(half), activation())

    def forward(self, x):
        left, right = (self.branch1(x), x) if self.branch1 else x.chunk(2, dim=1)
        return F.channel_shuffle(torch.cat((left, self.branch2(right)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        stem = STAGES[0]
        self.conv1 = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), activation())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(ShuffleUnit(inputs, outputs, 2), *(ShuffleUnit(outputs, outputs, 1) for _ in range(repeat)))
            for inputs, outputs, repeat in zip(STAGES, STAGES[1:], (3, 7, 3)))

    def forward(self, images):
        c3 = self.stage2(self.maxpool(self.conv1(images)))
        c4 = self.stage3(c3)
        return c3, c4, self.stage4(c4)


# Neck: path aggregation with ghost bottlenecks (Han et al. 2020)

class Ghost(nn.Module):
    """Half of the outputs are dense; the other half is a cheap depthwise function of them."""
    def __init__(self, inputs, outputs, activate):
        super().__init__()
        half = outputs // 2
        self.primary_conv = nn.Sequential(pointwise(inputs, half), nn.BatchNorm2d(half))
        self.cheap_operation = nn.Sequential(depthwise(half, 3), nn.BatchNorm2d(half))
        if activate:
            self.primary_conv.append(activation())
            self.cheap_operation.append(activation())

    def forward(self, x):
        x = self.primary_conv(x)
        return torch.cat((x, self.cheap_operation(x)), dim=1)


class GhostBottleneck(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.ghost1 = Ghost(inputs, outputs, activate=True)
        self.ghost2 = Ghost(outputs, outputs, activate=False)
        self.shortcut = nn.Sequential(depthwise(inputs, 5), nn.BatchNorm2d(inputs),
                                      pointwise(inputs, outputs), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.ghost2(self.ghost1(x)).add_(self.shortcut(x))


class GhostPAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.reduce_layers = nn.ModuleList(
            layers(conv=pointwise(inputs, NECK), bn=nn.BatchNorm2d(NECK), act=activation()) for inputs in STAGES[1:])
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear")
        self.top_down_blocks = self.merges()
        self.bottom_up_blocks = self.merges()
        self.downsamples = nn.ModuleList(separable(NECK, stride=2) for _ in range(2))
        self.extra_lvl_in_conv = nn.ModuleList([separable(NECK, stride=2)])
        self.extra_lvl_out_conv = nn.ModuleList([separable(NECK, stride=2)])

    @staticmethod
    def merges():
        return nn.ModuleList(layers(blocks=nn.Sequential(GhostBottleneck(2 * NECK, NECK))) for _ in range(2))

    def forward(self, features):
        c3, c4, c5 = (reduce(x) for reduce, x in zip(self.reduce_layers, features))
        p4 = self.top_down_blocks[0](torch.cat((self.upsample(c5), c4), dim=1))
        p3 = self.top_down_blocks[1](torch.cat((self.upsample(p4), c3), dim=1))
        n4 = self.bottom_up_blocks[0](torch.cat((self.downsamples[0](p3), p4), dim=1))
        n5 = self.bottom_up_blocks[1](torch.cat((self.downsamples[1](n4), c5), dim=1))
        return p3, n4, n5, self.extra_lvl_in_conv[0](c5) + self.extra_lvl_out_conv[0](n5)


# Heads: for every prior the logits of the classes and of the distributions of four distances

def rows(levels):
    """Joins maps [n, c, h, w] into [n, priors, c]."""
    return torch.cat([x.flatten(2) for x in levels], dim=2).transpose(1, 2)


class NanoDetPlusHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_convs = nn.ModuleList(nn.Sequential(separable(NECK), separable(NECK)) for _ in STRIDES)
        self.gfl_cls = nn.ModuleList(nn.Conv2d(NECK, CLASSES + 4 * (REG_MAX + 1), 1) for _ in STRIDES)
        for layer in self.gfl_cls:
            start_unsure(layer)

    def forward(self, features):
        return rows(predict(convs(x)) for x, convs, predict in zip(features, self.cls_convs, self.gfl_cls))


class AuxiliaryHead(nn.Module):
    """Dense convolutions shared by all levels; each level scales its distances."""
    def __init__(self):
        super().__init__()
        self.cls_convs, self.reg_convs = self.tower(), self.tower()
        self.gfl_cls = nn.Conv2d(AUX, CLASSES, 3, padding=1)
        self.gfl_reg = nn.Conv2d(AUX, 4 * (REG_MAX + 1), 3, padding=1)
        self.scales = nn.ModuleList(nn.ParameterDict({"scale": torch.tensor(1.)}) for _ in STRIDES)
        start_unsure(self.gfl_cls)

    @staticmethod
    def tower():
        return nn.Sequential(*(layers(conv=nn.Conv2d(AUX, AUX, 3, padding=1, bias=False), gn=nn.GroupNorm(32, AUX),
                                      act=activation()) for _ in range(4)))

    def forward(self, features):
        return rows(torch.cat((self.gfl_cls(self.cls_convs(x)), self.gfl_reg(self.reg_convs(x)) * level.scale), dim=1)
                    for x, level in zip(features, self.scales))


def start_unsure(layer):
    """Every class starts with a probability of 0.01."""
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, -4.595)


class NanoDetPlus(nn.Module):
    def __init__(self, aux):
        super().__init__()
        self.backbone, self.fpn, self.head = ShuffleNetV2(), GhostPAN(), NanoDetPlusHead()
        if aux:
            self.aux_fpn, self.aux_head = GhostPAN(), AuxiliaryHead()
        self.aux = aux

    def forward(self, images):
        """The predictions of all heads: that of the detector, then the auxiliary one."""
        features = self.backbone(images)
        maps = self.fpn(features)
        if not self.aux:
            return [self.head(maps)]
        dual = [torch.cat(pair, dim=1) for pair in zip(maps, self.aux_fpn(features))]
        return [self.head(maps), self.aux_head(dual)]


# Boxes are x1, y1, x2, y2; a prior is the corner of its cell

def make_priors():
    """Centres [priors, 2] and strides [priors, 1]."""
    grids = [torch.cartesian_prod(*[torch.arange(0., SIZE, stride)] * 2).flip(1) for stride in STRIDES]
    return torch.cat(grids), torch.cat([torch.full((len(grid), 1), float(s)) for grid, s in zip(grids, STRIDES)])


def decode(logits, centres, strides):
    """Boxes of [n, priors, 4 (REG_MAX + 1)] logits: the expected distances to the four sides."""
    distances = logits.unflatten(-1, (4, REG_MAX + 1)).softmax(-1) @ torch.arange(REG_MAX + 1.) * strides
    return torch.cat((centres - distances[..., :2], centres + distances[..., 2:]), dim=-1)


def overlap(a, b):
    """IoU and union of boxes, broadcast."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(0).prod(-1)
    union = ((a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared).clamp(1e-6)
    return shared / union, union


def generalised_iou(a, b):
    iou, union = overlap(a, b)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1).clamp(1e-6)
    return iou - (hull - union) / hull


@torch.no_grad()
def assign(logits, boxes, objects, labels, centres):
    """Dynamic soft labels for one image: the positive priors, the object of each, and their IoU."""
    sides = torch.cat((centres[:, None] - objects[:, :2], objects[:, 2:] - centres[:, None]), dim=-1)
    candidates = (sides.amin(-1) > 0).any(1).nonzero().squeeze(1)
    iou, _ = overlap(boxes[candidates, None], objects)                      # [candidates, objects]
    soft = F.one_hot(labels, CLASSES) * iou[..., None]                      # [candidates, objects, classes]
    logits = logits[candidates, None]
    entropy = F.binary_cross_entropy_with_logits(logits.expand_as(soft), soft, reduction="none")
    cost = (entropy * (soft - logits.sigmoid()).square()).sum(-1) - IOU_FACTOR * (iou + 1e-7).log()
    match = torch.zeros_like(cost, dtype=torch.bool)
    for i, take in enumerate(iou.topk(min(TOP_K, len(iou)), dim=0).values.sum(0).int().clamp(1).tolist()):
        match[cost[:, i].topk(take, largest=False).indices, i] = True
    contested = match.sum(1) > 1
    match[contested] = F.one_hot(cost[contested].argmin(1), len(objects)).bool()
    row, chosen = match.nonzero(as_tuple=True)
    return candidates[row], chosen, iou[row, chosen]


def head_loss(logits, distributions, boxes, priors, targets):
    """Quality focal, GIoU and distribution focal loss of one head; targets has a row per positive prior."""
    image, prior, label, iou, target = targets
    centres, strides = (x[prior] for x in priors)
    probability = logits.sigmoid()
    quality = torch.zeros_like(logits)
    quality[image, prior, label] = iou
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    qfl = (entropy * (quality - probability).square()).sum() / max(len(prior), 1)

    weight = probability.detach()[image, prior].amax(-1)
    total = weight.sum().clamp(1)
    giou = ((1 - generalised_iou(boxes[image, prior], target)) * weight).sum() / total
    distance = torch.cat((centres - target[:, :2], target[:, 2:] - centres), dim=1) / strides
    distance = distance.clamp(0, REG_MAX - 0.1).flatten()
    left = distance.long()
    bins = distributions[image, prior].view(-1, REG_MAX + 1).log_softmax(-1)
    share = torch.stack((left + 1 - distance, distance - left), dim=1)      # of the two bins around the distance
    dfl = -(bins.gather(1, torch.stack((left, left + 1), dim=1)) * share).sum(1)
    dfl = (dfl * weight.repeat_interleave(4)).sum() / (4 * total)
    return qfl + 2 * giou + 0.25 * dfl


def criterion(predictions, priors, objects, labels):
    """The loss of all heads; the last one's predictions decide the assignment."""
    heads = []
    for prediction in predictions:
        logits, distributions = prediction.split((CLASSES, 4 * (REG_MAX + 1)), dim=-1)
        heads.append((logits, distributions, decode(distributions, *priors)))
    logits, _, boxes = heads[-1]
    found = [assign(*image, priors[0]) for image in zip(logits, boxes, objects, labels)]
    prior, chosen, iou = (torch.cat(parts) for parts in zip(*found))
    image = torch.arange(len(found)).repeat_interleave(torch.tensor([len(positives) for positives, *_ in found]))
    targets = image, prior, labels[image, chosen], iou, objects[image, chosen]
    return sum(head_loss(*head, priors, targets) for head in heads)


# The step

def generate(batch):
    """Images [batch, 3, h, w], boxes of 32 to 160 pixels [batch, BOXES, 4], labels [batch, BOXES]."""
    random = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, SIZE, SIZE, generator=random).to(memory_format=torch.channels_last)
    extent = torch.empty(batch, BOXES, 2).uniform_(32, SIZE / 2, generator=random)
    corner = torch.rand(batch, BOXES, 2, generator=random) * (SIZE - extent)
    labels = torch.randint(CLASSES, (batch, BOXES), generator=random)
    return images, torch.cat((corner, corner + extent), dim=-1), labels


class Trainer:
    def __init__(self, model):
        self.model = model.train().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.05, fused=True)
        self.state = [x.detach() for x in chain(model.parameters(), model.buffers()) if x.is_floating_point()]
        self.average = [x.clone() for x in self.state]
        self.priors = make_priors()

    def step(self, images, objects, labels):
        loss = criterion(self.model(images), self.priors, objects, labels)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 35, foreach=True)
        self.optimizer.step()
        torch._foreach_lerp_(self.average, self.state, AVERAGE_RATE)


def measure(step, seconds):
    """The time of each call of step, at least three; without the first call, which warms up."""
    times, end = [], time.perf_counter() + seconds
    while len(times) < 4 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="images a step")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), metavar="T", help="of the CPU")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="how long to measure, at least")
    parser.add_argument("--no-aux", action="store_true", help="without the auxiliary neck and head")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    trainer = Trainer(NanoDetPlus(aux=not args.no_aux))
    sample = generate(args.batch)
    times = [1000 * t / args.batch for t in measure(lambda: trainer.step(*sample), args.seconds)]
    result = {"ms_per_image_min": min(times), "ms_per_image_median": statistics.median(times),
              "peak_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
              "threads": args.threads, "batch": args.batch}
    print(json.dumps(result) if args.json else "\n".join(f"{name:20} {value:.6g}" for name, value in result.items()))


if __name__ == "__main__":
    main()
