/* detect.c -- detects the objects in an image.
 *
 *     cc detect.c $(pkg-config --cflags --libs nanodet) -o detect
 *     ./detect [CONFIG] WEIGHTS IMAGE
 *
 * Without CONFIG the weights are a safetensors file that nanodet has trained or exported. */
#include <nanodet.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct nanodet_options options = {0};
    struct nanodet_error error;
    int count;
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: detect [CONFIG] WEIGHTS IMAGE\n");
        return 2;
    }
    options.config = argc == 4 ? argv[1] : NULL;
    options.weights = argv[argc - 2];
    struct nanodet *detector = nanodet_open(&options, &error);
    const struct nanodet_detection *found = NULL;
    if (detector)
        found = nanodet_detect_file(detector, argv[argc - 1], &count, &error);
    if (!found)
        fprintf(stderr, "%s\n", error.text);
    for (int i = 0; found && i < count; i++)
        printf("%-16s %.2f  at %.0f, %.0f, %.0f x %.0f pixels\n", found[i].class_name, found[i].score, found[i].x,
               found[i].y, found[i].width, found[i].height);
    nanodet_close(detector);
    return found ? 0 : (int)error.result;
}
