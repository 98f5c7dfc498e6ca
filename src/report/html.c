#include "report/html.h"

#include "base/escape.h"
#include <math.h>
#include <string.h>

/* Dark colours are for the screen only, so that print is dark on white. */
static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--panel:#f6f8fa;--ink:#1f2328;--pale:#57606a;--line:#d0d7de;"
    "--accent:#0969da;--shade:9,105,218;--c0:#1f6fd1;--c1:#d1480f;--c2:#1f8a3b;--c3:#8250df;--c4:#9a6700;--c5:#0b7285;"
    "--c6:#bf3989;--c7:#5c6370}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--paper:#0d1117;--panel:#161b22;--ink:#e6edf3;--pale:#9aa4af;"
    "--line:#30363d;--accent:#58a6ff;--shade:56,139,253;--c0:#6cb0ff;--c1:#ff9a66;--c2:#63d07d;--c3:#c49bff;"
    "--c4:#e3b341;--c5:#4fd1e0;--c6:#ff8ac4;--c7:#b0b8c0}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.25rem;margin:2.5rem 0 .5rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}\n"
    "p{margin:.5rem 0 1rem;max-width:46rem;overflow-wrap:anywhere}\n"
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.5rem,1fr));gap:.75rem;margin:1rem 0}\n"
    "dl div{display:flex;flex-direction:column-reverse;background:var(--panel);border:1px solid var(--line);"
    "border-radius:.5rem;padding:.6rem 1rem}\n"
    "dt{color:var(--pale);font-size:.85rem}\n"
    "dd{margin:0;font-size:1.5rem;font-weight:600;font-variant-numeric:tabular-nums}\n"
    ".columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.25rem;"
    "align-items:start;margin:1rem 0}\n"
    ".gallery{grid-template-columns:repeat(auto-fill,minmax(min(100%,13rem),1fr))}\n"
    ".scroll{overflow-x:auto;margin:1rem 0;container-type:inline-size}\n"
    "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--pale);padding-bottom:.4rem}\n"
    "caption span{display:block;max-width:100cqi}\n"      /* the width of the page, not of a wide table */
    "th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;font-weight:400;"
    "white-space:nowrap}\n"
    "thead th{font-weight:600;vertical-align:bottom}\n"
    "tbody th,.text{text-align:left}\n"
    "tbody th{max-width:22rem;overflow:hidden;text-overflow:ellipsis}\n"
    "tbody tr:hover{background:var(--panel)}\n"
    "figure{margin:0;min-width:0}\n"
    "figcaption{color:var(--pale);font-size:.9rem;margin-top:.3rem;overflow-wrap:anywhere}\n"
    "svg{display:block;width:100%;height:auto}\n"
    ".photo{background:var(--panel);border-radius:.25rem;max-height:38rem}\n"
    ".chart{background:var(--panel);border:1px solid var(--line);border-radius:.5rem}\n"
    ".chart text{fill:var(--ink);font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',"
    "sans-serif}\n"
    ".chart .pale{fill:var(--pale);font-size:12px}\n"
    ".chart .title{font-weight:600;font-size:14px}\n"
    ".grid{stroke:var(--line);stroke-width:1}\n"
    ".bar{fill:var(--c0)}\n"
    ".mark{fill:none;stroke:var(--accent);stroke-width:1.5;stroke-dasharray:5 4}\n"
    ".chart .halo{paint-order:stroke;stroke:var(--panel);stroke-width:4px}\n"
    ".cell{fill:var(--c0)}\n"
    ".chart .tiny text{font-size:8px}\n"
    ".curve{fill:none;stroke-width:1.8;stroke-linejoin:round}\n"
    ".thin{fill:none;stroke:var(--pale);stroke-width:1;opacity:.35}\n"
    ".strong{fill:none;stroke:var(--ink);stroke-width:3;stroke-linejoin:round}\n"
    ".box{fill:none;stroke-width:2.5;vector-effect:non-scaling-stroke}\n"
    ".leader{stroke-width:1;stroke-dasharray:none}\n"
    ".plain{stroke:#3aa0ff}.right{stroke:#2ecc62}.wrong{stroke:#ff453a}\n"
    ".missed{stroke:#ffb020;stroke-dasharray:7 4}.ignored{stroke:#b5bcc4;stroke-dasharray:2 4}\n"
    ".label{fill:#fff;stroke:#000;paint-order:stroke;stroke-linejoin:round;font-family:system-ui,-apple-system,"
    "'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;font-weight:600}\n"
    "@media print{:root{font-size:10px}body{max-width:none;padding:0;font-size:1rem}p{max-width:none}"
    ".scroll{overflow:visible}figure,tr,svg,dl{break-inside:avoid}"
    "h2{break-after:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

static void add_entity(struct strbuf *out, char c)
{
    static const struct { char c; const char *name; } entities[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (entities[i].c == c)
            strbuf_addf(out, "%s", entities[i].name);
}

void html_text(struct strbuf *out, const char *text)
{
    struct strbuf line = {0};
    strbuf_add_escaped(&line, text);
    out->failed = out->failed || line.failed;
    for (const char *s = line.failed ? NULL : line.s; s && *s; ) {
        const size_t plain = strcspn(s, "&<>\"'");
        strbuf_add(out, s, plain);
        s += plain;
        if (*s)
            add_entity(out, *s++);
    }
    strbuf_free(&line);
}

/* ---- page ---- */

void html_begin(struct strbuf *page, const char *title)
{
    strbuf_addf(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<link rel=\"icon\" href=\"data:,\"/>\n<title>");
    html_text(page, title);
    strbuf_addf(page, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", style);
    html_text(page, title);
    strbuf_addf(page, "</h1>\n");
}

void html_end(struct strbuf *page) { strbuf_addf(page, "</main>\n</body>\n</html>\n"); }

static void add_element(struct strbuf *page, const char *begin, const char *text, const char *end)
{
    strbuf_addf(page, "%s", begin);
    html_text(page, text);
    strbuf_addf(page, "%s", end);
}

void html_heading(struct strbuf *page, const char *text) { add_element(page, "<h2>", text, "</h2>\n"); }

static void add_formatted(struct strbuf *page, const char *format, va_list args)
{
    struct strbuf text = {0};
    strbuf_addv(&text, format, args);
    page->failed = page->failed || text.failed;
    html_text(page, text.s ? text.s : "");
    strbuf_free(&text);
}

void html_paragraph(struct strbuf *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addf(page, "<p>");
    add_formatted(page, format, args);
    strbuf_addf(page, "</p>\n");
    va_end(args);
}

void html_figures(struct strbuf *page, const struct html_figure *figures, int count)
{
    strbuf_addf(page, "<dl>\n");
    for (int i = 0; i < count; i++) {
        add_element(page, "<div><dt>", figures[i].name, "</dt>");
        add_element(page, "<dd>", figures[i].value, "</dd></div>\n");
    }
    strbuf_addf(page, "</dl>\n");
}

void html_columns(struct strbuf *page) { strbuf_addf(page, "<div class=\"columns\">\n"); }
void html_gallery(struct strbuf *page) { strbuf_addf(page, "<div class=\"columns gallery\">\n"); }
void html_columns_end(struct strbuf *page) { strbuf_addf(page, "</div>\n"); }

/* ---- tables ---- */

void html_table(struct strbuf *page, const char *caption, const struct html_column *columns, int count)
{
    strbuf_addf(page, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"");
    html_text(page, caption);
    strbuf_addf(page, "\"><table><caption><span>");
    html_text(page, caption);
    strbuf_addf(page, "</span></caption>\n<thead><tr>");
    for (int i = 0; i < count; i++) {
        strbuf_addf(page, "<th scope=\"col\"%s>", i == 0 || columns[i].text ? " class=\"text\"" : "");
        html_text(page, columns[i].name);
        strbuf_addf(page, "</th>");
    }
    strbuf_addf(page, "</tr></thead>\n<tbody>\n");
}

void html_row(struct strbuf *page, const char *name)
{
    add_element(page, "<tr><th scope=\"row\">", name, "</th>");
}

void html_row_end(struct strbuf *page) { strbuf_addf(page, "</tr>\n"); }

void html_cell(struct strbuf *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addf(page, "<td>");
    add_formatted(page, format, args);
    strbuf_addf(page, "</td>");
    va_end(args);
}

void html_text_cell(struct strbuf *page, const char *text)
{
    add_element(page, "<td class=\"text\">", text, "</td>");
}

void html_figure_cell(struct strbuf *page, int decimals, double figure)
{
    if (figure < 0)
        html_cell(page, "–");
    else
        html_cell(page, "%.*f", decimals, figure);
}

void html_shaded_cell(struct strbuf *page, double shade, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addf(page, "<td style=\"background:rgba(var(--shade),%.2f)\">", fmin(fmax(shade, 0), 1));
    add_formatted(page, format, args);
    strbuf_addf(page, "</td>");
    va_end(args);
}

void html_table_end(struct strbuf *page) { strbuf_addf(page, "</tbody></table></div>\n"); }
