#include "pictures.h"
#include "../stopwatch.h"
#include "figures.h"
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool write_figure(const struct png *png, enum figure figure, const char *directory)
{
    size_t size = strlen(directory) + strlen(figure_name(figure)) + sizeof "/.png";
    char *path = malloc(size);
    bool written = false;

    if (path) {
        snprintf(path, size, "%s/%s.png", directory, figure_name(figure));
        written = png_write(png, path);
    }
    free(path);
    return written;
}

static bool write_page(const struct findings *findings, const struct png figures[FIGURES],
                       const char *directory)
{
    size_t size = strlen(directory) + sizeof "/index.html";
    char *path = malloc(size);
    bool written = false;

    if (path) {
        snprintf(path, size, "%s/index.html", directory);
        written = page_write(findings, figures, path);
    }
    if (written)
        printf("written: %s\n", path);
    free(path);
    return written;
}

static bool draw_all(const struct findings *findings, const char *directory)
{
    struct png figures[FIGURES] = {{0}};
    bool written = true;

    for (int i = 0; written && i < FIGURES; i++)
        written = figure_draw(i, findings, &figures[i]) && write_figure(&figures[i], i, directory);
    if (written)
        written = write_page(findings, figures, directory);
    for (int i = 0; i < FIGURES; i++)
        png_destroy(&figures[i]);
    return written;
}

bool pictures_write(const struct run_results *run, const char *directory)
{
    struct findings findings = {0};
    double start = seconds_now();
    bool written = false;

    fmatch_status status = findings_collect(&findings, run);
    double collected = seconds_now();
    if (status == FMATCH_OK)
        written = draw_all(&findings, directory);
    else
        fprintf(stderr, "visual_introduction: %s: %s\n", fmatch_status_get_text(status),
                fmatch_error_detail());
    if (written)
        printf("figures: %.2f s of sampling, %.2f s of drawing\n", collected - start,
               seconds_now() - collected);
    findings_destroy(&findings);
    cairo_debug_reset_static_data(); /* or checkers of memory take its fonts for leaks */
    return written;
}
