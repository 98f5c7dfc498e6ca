/* detect.c -- the objects in an image.
 *
 *     cc detect.c $(pkg-config --cflags --libs nanodet) -o detect
 *     ./detect CONFIG WEIGHTS IMAGE */
#include <nanodet.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct nanodet_options options = {0};
    struct nanodet_error error;
    int count;
    if (argc != 4) {
        fprintf(stderr, "usage: detect CONFIG WEIGHTS IMAGE\n");
        return 2;
    }
    options.config = argv[1];
    options.weights = argv[2];
    struct nanodet *detector = nanodet_open(&options, &error);
    const struct nanodet_detection *found = detector ? nanodet_detect_file(detector, argv[3], &count, &error) : NULL;
    if (!found)
        fprintf(stderr, "%s\n", error.text);
    for (int i = 0; found && i < count; i++)
        printf("%-16s %.2f  at %.0f, %.0f, %.0f x %.0f pixels\n", found[i].class_name, found[i].score, found[i].x,
               found[i].y, found[i].width, found[i].height);
    nanodet_close(detector);
    return found ? 0 : (int)error.result;
}
