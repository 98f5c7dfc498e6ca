/* cli/version.c -- the build: version, libraries, kernels. */
#include "base/strbuf.h"
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

static void add_libraries(struct strbuf *text)
{
    strbuf_add(text, "libraries: libyaml %s, libpng %s, ", yaml_get_version_string(), png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
    strbuf_add(text, "libjpeg-turbo %s, ", EXPANDED(LIBJPEG_TURBO_VERSION));
#else
    strbuf_add(text, "libjpeg %d, ", JPEG_LIB_VERSION);
#endif
    strbuf_add(text, "cJSON %s, %s, libzip %s", cJSON_Version(), XML_ExpatVersion(), zip_libzip_version());
#ifdef HAVE_CAIRO
    strbuf_add(text, ", cairo %s", cairo_version_string());
#endif
#ifdef HAVE_OPENBLAS
    strbuf_add(text, ", %s", openblas_get_config());
#endif
    strbuf_add(text, "\n");
}

bool print_version(struct error *err)
{
    struct strbuf text = {0}, missing = {0};
    strbuf_add(&text, "nanodet %s\nkernels:", NANODET_VERSION);
    kernels_names(true, &text);                 /* the last one is the default */
    kernels_names(false, &missing);
    strbuf_add(&text, "\nkernels not on this machine:%s\n", missing.s ? missing.s : " none");
    add_libraries(&text);
    const bool ok = strbuf_ok(&missing, err) && strbuf_ok(&text, err);
    if (ok)
        printf("%s", text.s);
    strbuf_free(&text);
    strbuf_free(&missing);
    return ok;
}
