/* cli/version.c -- prints the version of the program and of its libraries, and the names of its kernel tables. */
#include "base/strbuf.h"
#include "cli/commands.h"
#include "kernel/kernels.h"
#include "nanodet.h"
#include <cjson/cJSON.h>
#include <expat.h>
#include <jpeglib.h>
#include <png.h>
#include <string.h>
#include <yaml.h>
#include <zip.h>
#ifdef HAVE_CAIRO
#include <cairo.h>
#endif
#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif
#ifdef HAVE_MICROHTTPD
#include <microhttpd.h>
#endif

#define STRING_OF(x) #x
#define STRING_OF_VALUE(x) STRING_OF(x)            /* expands x first */

static void add_libraries(struct strbuf *out)
{
    strbuf_addf(out, "libraries: libyaml %s, libpng %s, ", yaml_get_version_string(), png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
    strbuf_addf(out, "libjpeg-turbo %s, ", STRING_OF_VALUE(LIBJPEG_TURBO_VERSION));
#else
    strbuf_addf(out, "libjpeg %d, ", JPEG_LIB_VERSION);
#endif
    strbuf_addf(out, "cJSON %s, %s, libzip %s", cJSON_Version(), XML_ExpatVersion(), zip_libzip_version());
#ifdef HAVE_CAIRO
    strbuf_addf(out, ", cairo %s", cairo_version_string());
#endif
#ifdef HAVE_OPENBLAS
    strbuf_addf(out, ",%.*s", (int)strlen(OPENBLAS_VERSION) - 1, OPENBLAS_VERSION);      /* " OpenBLAS 0.3.21 " */
#endif
#ifdef HAVE_MICROHTTPD
    strbuf_addf(out, ", libmicrohttpd %s", MHD_get_version());
#endif
    strbuf_addf(out, "\n");
}

bool print_version(struct error *err)
{
    struct strbuf text = {0}, unusable = {0};
    strbuf_addf(&text, "nanodet %s\nkernels:", NANODET_VERSION);
    add_kernel_names(KERNELS_USABLE, &text);    /* the last one is the default */
    add_kernel_names(KERNELS_UNUSABLE, &unusable);
    strbuf_addf(&text, "\nkernels that this machine cannot run:%s\n", unusable.s ? unusable.s : " none");
    add_libraries(&text);
    const bool ok = strbuf_check(&unusable, err) && strbuf_check(&text, err);
    if (ok)
        printf("%s", text.s);
    strbuf_free(&text);
    strbuf_free(&unusable);
    return ok;
}
