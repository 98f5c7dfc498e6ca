// Detects objects in images: runs an ONNX file with OpenVINO.
//
//     O=$(python3 -c 'import openvino, os; print(os.path.dirname(openvino.__file__))')        # pip install openvino
//     c++ -O2 -std=c++17 detect_openvino.cpp -I$O/include $O/libs/libopenvino.so.* -Wl,-rpath,$O/libs
//         -I/usr/include/opencv4 -lopencv_imgcodecs -lopencv_core -o detect_openvino
//     ./detect_openvino --names CLASS,CLASS,... [--size 320x320] [--strides 8,16,32,64]
//         [--resize stretch|keep|letterbox] [--offset 0] [--score 0.35] MODEL.onnx IMAGE...
//
// MODEL.onnx is a file of `nanodet export --format onnx` with any --output.  The offset is 0.5 for NanoDet (not Plus).
#include "nanodet_boxes.hpp"
#include <opencv2/imgcodecs.hpp>
#include <openvino/openvino.hpp>

static bool has(const ov::CompiledModel &model, const char *name)
{
    for (const auto &output : model.outputs())
        if (output.get_names().count(name))
            return true;
    return false;
}

static Box box_at(const float *b, int label, float score) { return { b[0], b[1], b[2], b[3], label, score }; }

// --output nms: boxes [k][4], scores [k] and labels [k] with scores above 0.05, best first.
static std::vector<Box> finished(ov::InferRequest &request, const Settings &s)
{
    const ov::Tensor boxes = request.get_tensor("boxes"), scores = request.get_tensor("scores");
    const ov::Tensor labels = request.get_tensor("labels");
    std::vector<Box> list;
    for (size_t i = 0; i < scores.get_size(); i++)
        if (scores.data<float>()[i] > s.score)
            list.push_back(box_at(boxes.data<float>() + 4 * i, (int)labels.data<int64_t>()[i],
                                  scores.data<float>()[i]));
    return list;
}

// --output boxes: boxes [1][P][4] and scores [1][P][classes].
static std::vector<Box> all_above(ov::InferRequest &request, const Settings &s)
{
    const ov::Tensor boxes = request.get_tensor("boxes"), scores = request.get_tensor("scores");
    const size_t classes = scores.get_shape()[2];
    std::vector<Box> list;
    for (size_t i = 0; i < scores.get_size(); i++)
        if (scores.data<float>()[i] > s.score)
            list.push_back(box_at(boxes.data<float>() + i / classes * 4, (int)(i % classes),
                                  scores.data<float>()[i]));
    return list;
}

static std::vector<Box> detect(ov::CompiledModel &model, Input &in, const Settings &s)
{
    ov::InferRequest request = model.create_infer_request();
    const ov::Shape shape = { 1, 3, (size_t)in.height, (size_t)in.width };
    request.set_input_tensor(ov::Tensor(ov::element::f32, shape, in.data.data()));
    request.infer();
    if (has(model, "labels"))
        return finished(request, s);
    if (has(model, "boxes"))
        return suppress(all_above(request, s));
    const ov::Tensor output = request.get_tensor("output");
    return suppress(decode(output.data<float>(), (int)output.get_shape()[2], in, s));
}

int main(int argc, char **argv)
{
    Settings s;
    int next = read_options(argc, argv, s);
    if (argc < next + 2 || s.names.empty()) {
        std::fprintf(stderr, "usage: detect_openvino --names CLASS,... [OPTIONS] MODEL.onnx IMAGE...\n");
        return 2;
    }
    ov::Core core;
    ov::CompiledModel model = core.compile_model(argv[next], "CPU", ov::hint::inference_precision(ov::element::f32));
    while (++next < argc) {
        const cv::Mat image = cv::imread(argv[next]);
        if (image.empty()) {
            std::fprintf(stderr, "%s: cannot be read\n", argv[next]);
            return 1;
        }
        Input in = prepare(image.data, image.cols, image.rows, s);
        show(argv[next], detect(model, in, s), in, image.cols, image.rows, s);
    }
    return 0;
}
