// nanodet_boxes.hpp -- pre-processing of an image and post-processing of the outputs of exported networks.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

// The values of the configuration: data.val.input_size, data.val.resize, data.val.pipeline.normalize,
// model.arch.head.strides, class_names.  offset: 0 for NanoDet-Plus, 0.5 for NanoDet.
struct Settings {
    int width = 320, height = 320;
    std::string resize = "stretch";             // stretch, keep or letterbox
    float mean[3] = { 103.53f, 116.28f, 123.675f }, deviation[3] = { 57.375f, 57.12f, 58.395f };
    std::vector<int> strides = { 8, 16, 32, 64 };
    double offset = 0;
    std::vector<std::string> names;
    float score = 0.35f;
};

// The input, planes B, G, R of height x width, and the scale and shift from the image to it.
struct Input {
    int width, height;
    std::vector<float> data;
    double scale[2], shift[2];
};

struct Box { double x1, y1, x2, y2; int label; float score; };

inline int round_up(int side) { return (side + 31) / 32 * 32; }

// A channel of the image at (x, y): bilinear, integer pixel centres, black outside, rounded.
inline float sample(const unsigned char *bgr, int width, int height, int channel, float x, float y)
{
    const int left = (int)std::floor(x), top = (int)std::floor(y);
    const float right = x - left, down = y - top;
    float corner[4];
    for (int k = 0; k < 4; k++) {
        const int u = left + k % 2, v = top + k / 2;
        const bool inside = u >= 0 && v >= 0 && u < width && v < height;
        corner[k] = inside ? bgr[3 * ((size_t)v * width + u) + channel] : 0;
    }
    const float upper = corner[0] + right * (corner[1] - corner[0]);
    const float lower = corner[2] + right * (corner[3] - corner[2]);
    return std::nearbyint(upper + down * (lower - upper));
}

// bgr: [height][width][3] in the order B, G, R.
inline Input prepare(const unsigned char *bgr, int width, int height, const Settings &s)
{
    double sx = (double)s.width / width, sy = (double)s.height / height;
    int w = s.width, h = s.height;
    if (s.resize == "keep") {                   // the largest size with the shape of the image that fits
        const double fit = std::min(sx, sy);
        w = std::max((int)(fit * width), 1);
        h = std::max((int)(fit * height), 1);
        sx = (double)w / width;
        sy = (double)h / height;
    }
    if (s.resize != "stretch")                  // letterbox: centred, with a black border
        sx = sy = std::min(sx, sy);
    Input in = { round_up(w), round_up(h), {}, { sx, sy }, { (w - sx * width) / 2, (h - sy * height) / 2 } };
    in.data.assign((size_t)3 * in.width * in.height, 0);        // 0 to the right and below, after normalisation
    const float step[2] = { (float)(1 / sx), (float)(1 / sy) };
    const float start[2] = { (float)(-in.shift[0] / sx), (float)(-in.shift[1] / sy) };
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                const float u = std::fma((float)x, step[0], start[0]), v = (float)y * step[1] + start[1];
                in.data[((size_t)c * in.height + y) * in.width + x] =
                    (sample(bgr, width, height, c, u, v) - s.mean[c]) / s.deviation[c];
            }
    return in;
}

// The mean of a distribution of reg_max + 1 bins given by logits.
inline double distance(const float *bins, int count)
{
    const float largest = *std::max_element(bins, bins + count);
    double sum = 0, weighted = 0;
    for (int i = 0; i < count; i++) {
        const double e = std::exp((double)bins[i] - largest);
        sum += e;
        weighted += i * e;
    }
    return weighted / sum;
}

inline Box clip(Box b, double width, double height)
{
    b.x1 = std::min(std::max(b.x1, 0.0), width);
    b.x2 = std::min(std::max(b.x2, 0.0), width);
    b.y1 = std::min(std::max(b.y1, 0.0), height);
    b.y2 = std::min(std::max(b.y2, 0.0), height);
    return b;
}

// Adds the boxes of a row of a raw output to the list, in pixels of the input: scores of the classes, then reg_max + 1
// bins for each of the left, top, right and bottom side.  (x, y) is the cell in the map of a stride.
inline void decode_row(const float *scores, const float *bins, int bin_count, int x, int y, int stride, const Input &in,
                       const Settings &s, std::vector<Box> &list)
{
    for (int label = 0; label < (int)s.names.size(); label++)
        if (scores[label] > s.score) {
            double side[4];
            for (int k = 0; k < 4; k++)
                side[k] = distance(bins + k * bin_count, bin_count) * stride;
            const double px = (x + s.offset) * stride, py = (y + s.offset) * stride;
            list.push_back(clip({ px - side[0], py - side[1], px + side[2], py + side[3], label, scores[label] },
                                in.width, in.height));
        }
}

// A raw output [P][classes + 4 (reg_max + 1)]: level after level, rows of pixels first.
inline std::vector<Box> decode(const float *output, int row, const Input &in, const Settings &s)
{
    const int classes = (int)s.names.size(), bins = (row - classes) / 4;
    std::vector<Box> list;
    for (int stride : s.strides)
        for (int y = 0; y < (in.height + stride - 1) / stride; y++)
            for (int x = 0; x < (in.width + stride - 1) / stride; x++, output += row)
                decode_row(output, output + classes, bins, x, y, stride, in, s, list);
    return list;
}

inline double overlap(const Box &a, const Box &b)               // IoU
{
    const double w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1), h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
    const double common = std::max(w, 0.0) * std::max(h, 0.0);
    return common / std::max((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - common, 1e-6);
}

// At most 100 detections, best first: non-maximum suppression per class.
inline std::vector<Box> suppress(std::vector<Box> list)
{
    std::vector<Box> kept;
    std::stable_sort(list.begin(), list.end(), [](const Box &a, const Box &b) { return a.score > b.score; });
    for (const Box &b : list) {
        const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Box &k) {
            return k.label == b.label && overlap(k, b) > 0.6; });
        if (!covered && kept.size() < 100)
            kept.push_back(b);
    }
    return kept;
}

// A line per detection, in pixels of the image: file, class, score, x, y, width, height.
inline void show(const char *file, const std::vector<Box> &list, const Input &in, int width, int height,
                 const Settings &s)
{
    for (const Box &b : list) {
        const Box o = clip({ (b.x1 - in.shift[0]) / in.scale[0], (b.y1 - in.shift[1]) / in.scale[1],
                             (b.x2 - in.shift[0]) / in.scale[0], (b.y2 - in.shift[1]) / in.scale[1], b.label, b.score },
                           width, height);
        std::printf("%s\t%s\t%.5f\t%.3f\t%.3f\t%.3f\t%.3f\n", file, s.names[(size_t)b.label].c_str(), o.score, o.x1,
                    o.y1, o.x2 - o.x1, o.y2 - o.y1);
    }
}

// Splits "a,b,c".
inline std::vector<std::string> parts(const std::string &list)
{
    std::vector<std::string> result(1);
    for (char c : list)
        if (c == ',')
            result.emplace_back();
        else
            result.back() += c;
    return result;
}

// Reads --size WxH, --resize MODE, --strides LIST, --names LIST, --score and --offset NUMBER.  Returns the index of the
// first argument after these.
inline int read_options(int argc, char **argv, Settings &s)
{
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--size")
            std::sscanf(value.c_str(), "%dx%d", &s.width, &s.height);
        else if (name == "--resize")
            s.resize = value;
        else if (name == "--names")
            s.names = parts(value);
        else if (name == "--score")
            s.score = std::stof(value);
        else if (name == "--offset")
            s.offset = std::stod(value);
        else if (name == "--strides") {
            s.strides.clear();
            for (const std::string &part : parts(value))
                s.strides.push_back(std::stoi(part));
        }
    }
    return i;
}
