// Detects objects in images with ncnn.
//
//     c++ -O2 -std=c++17 detect_ncnn.cpp $(pkg-config --cflags --libs ncnn) -I/usr/include/opencv4
//         -lopencv_imgcodecs -lopencv_core -o detect_ncnn
//     ./detect_ncnn --names CLASS,CLASS,... [--size 320x320] [--strides 8,16,32,64] [--resize stretch|keep|letterbox]
//         [--score 0.35] MODEL.param IMAGE...
//
// ncnn files cannot store names, sizes and strides: pass those of the configuration.
#include "nanodet_boxes.hpp"
#include <cstring>
#include <ncnn/net.h>
#include <opencv2/imgcodecs.hpp>

static ncnn::Mat to_mat(const Input &in)
{
    ncnn::Mat mat(in.width, in.height, 3);
    const size_t plane = (size_t)in.width * in.height;
    for (int c = 0; c < 3; c++)
        std::memcpy(mat.channel(c).row(0), in.data.data() + c * plane, plane * sizeof(float));
    return mat;
}

// NanoDet has separate outputs for the scores and bins of each level.
static std::vector<Box> decode_levels(ncnn::Extractor &extractor, const Input &in, const Settings &s)
{
    std::vector<Box> list;
    for (int stride : s.strides) {
        ncnn::Mat scores, bins;
        extractor.extract(("cls_pred_stride_" + std::to_string(stride)).c_str(), scores);
        extractor.extract(("dis_pred_stride_" + std::to_string(stride)).c_str(), bins);
        const int columns = (in.width + stride - 1) / stride;
        for (int i = 0; i < scores.h; i++)
            decode_row(scores.row(i), bins.row(i), bins.w / 4, i % columns, i / columns, stride, in, s, list);
    }
    return list;
}

static std::vector<Box> detect(ncnn::Net &net, const Input &in, Settings &s)
{
    ncnn::Extractor extractor = net.create_extractor();
    ncnn::Mat output;
    const bool plus = std::strcmp(net.input_names()[0], "data") == 0;   // NanoDet-Plus, Enhanced NanoDet
    s.offset = plus ? 0 : 0.5;
    extractor.input(net.input_names()[0], to_mat(in));
    if (!plus)
        return suppress(decode_levels(extractor, in, s));
    extractor.extract("output", output);
    return suppress(decode(output.row(0), output.w, in, s));
}

int main(int argc, char **argv)
{
    Settings s;
    int next = read_options(argc, argv, s);
    if (argc < next + 2 || s.names.empty()) {
        std::fprintf(stderr, "usage: detect_ncnn --names CLASS,... [OPTIONS] MODEL.param IMAGE...\n");
        return 2;
    }
    const std::string param = argv[next], bin = param.substr(0, param.rfind('.')) + ".bin";
    ncnn::Net net;
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = false;
    if (net.load_param(param.c_str()) || net.load_model(bin.c_str()))
        return 1;
    while (++next < argc) {
        const cv::Mat image = cv::imread(argv[next]);
        if (image.empty()) {
            std::fprintf(stderr, "%s: cannot be read\n", argv[next]);
            return 1;
        }
        const Input in = prepare(image.data, image.cols, image.rows, s);
        show(argv[next], detect(net, in, s), in, image.cols, image.rows, s);
    }
    return 0;
}
