/* cli/version.c -- the build: version, libraries, kernels. */
#include "base/file.h"
#include "cli/commands.h"
#include "kernel/kernels.h"
#include "nanodet.h"
#include <cjson/cJSON.h>
#include <expat.h>
#include <jpeglib.h>
#include <png.h>
#include <yaml.h>
#include <zip.h>
#ifdef HAVE_CAIRO
#include <cairo.h>
#endif
#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif

#define QUOTED(x) #x
#define EXPANDED(x) QUOTED(x)

static void add_libraries(struct text *text)
{
    text_add(text, "libraries: libyaml %s, libpng %s, ", yaml_get_version_string(), png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
    text_add(text, "libjpeg-turbo %s, ", EXPANDED(LIBJPEG_TURBO_VERSION));
#else
    text_add(text, "libjpeg %d, ", JPEG_LIB_VERSION);
#endif
    text_add(text, "cJSON %s, %s, libzip %s", cJSON_Version(), XML_ExpatVersion(), zip_libzip_version());
#ifdef HAVE_CAIRO
    text_add(text, ", cairo %s", cairo_version_string());
#endif
#ifdef HAVE_OPENBLAS
    text_add(text, ", %s", openblas_get_config());
#endif
    text_add(text, "\n");
}

bool print_version(struct error *err)
{
    struct text text = {0}, missing = {0};
    text_add(&text, "nanodet %s\nkernels:", NANODET_VERSION);
    kernels_names(true, &text);                 /* the last one is the default */
    kernels_names(false, &missing);
    text_add(&text, "\nkernels not on this machine:%s\n", missing.s ? missing.s : " none");
    add_libraries(&text);
    const bool ok = text_ok(&missing, err) && text_ok(&text, err);
    if (ok)
        printf("%s", text.s);
    text_free(&text);
    text_free(&missing);
    return ok;
}
