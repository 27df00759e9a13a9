#include "page.h"
#include "../output_file.h"
#include "page_assets.h"
#include "page_player.h"
#include "page_sections.h"
#include "page_text.h"

#include <inttypes.h>

static const char *const head[] = {
    "<!DOCTYPE html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
    "<meta name=\"color-scheme\" content=\"light dark\">",
    "<title>Flow matching, drawn by a C program</title>",
    "<link rel=\"icon\" href=\"data:,\">",
    "<style>",
    NULL,
};

static const char *const introduction[] = {
    "</style>",
    "</head>",
    "<body>",
    "<header>",
    "<h1>Flow matching, drawn by a C program</h1>",
    "<p class=\"lead\">How a small network learns to turn noise into data: every step of it as a "
    "picture, with the formula, the call that does it, and the numbers of the run that you just "
    "made.</p>",
    "<p>The example is that of the post <cite>Flow Matching: A visual introduction</cite>: one "
    "dimension, two hills, a network with two hidden layers of 64. The exact answer is known here, "
    "and stands beside every result.</p>",
    "<p class=\"note narrow\">Tap a figure to enlarge it.</p>",
    NULL,
};

static void write_run(FILE *stream, const struct findings *findings)
{
    const struct summary *s = findings->run->summary;

    fprintf(stream, "<p class=\"note\">This run: seed %" PRIu64 ", ", s->seed);
    write_count(stream, s->steps);
    fputs(" training steps in ", stream);
    write_decimal(stream, 2, s->train_seconds);
    fprintf(stream, " s, libflowmatch %s.</p>\n", fmatch_version_get_text());
}

static void write_contents(FILE *stream)
{
    fputs("<nav aria-label=\"Contents\"><ol>\n", stream);
    for (int i = 0; i < sections_count; i++) {
        fprintf(stream, "<li><a href=\"#%s\">", sections[i].name);
        write_escaped(stream, sections[i].title);
        fputs("</a></li>\n", stream);
    }
    fputs("</ol></nav>\n</header>\n<main>\n", stream);
}

static void write_picture(FILE *stream, const struct section *section,
                          const struct findings *findings, const struct png figures[FIGURES])
{
    const struct png *png = &figures[section->figure];

    fputs("<figure>\n", stream);
    if (section->figure == FIGURE_SAMPLED_PATH_GROUND) {
        write_player(stream, png, section->description, findings->run->summary->measures.path);
    } else {
        fputs("<div class=\"picture\">\n", stream);
        write_image(stream, png, section->description);
        fputs("</div>\n", stream);
    }
    fputs("</figure>\n", stream);
}

static void write_section(FILE *stream, int number, const struct findings *findings,
                          const struct png figures[FIGURES])
{
    const struct section *section = &sections[number];

    fprintf(stream, "<section id=\"%s\">\n<h2><span class=\"number\">%d</span>", section->name,
            number + 1);
    write_escaped(stream, section->title);
    fprintf(stream, "</h2>\n%s\n<div class=\"formula\">%s</div>\n", section->idea,
            section->formula);
    write_picture(stream, section, findings, figures);
    fputs("<pre><code>", stream);
    write_escaped(stream, section->code);
    fputs("</code></pre>\n", stream);
    section->write_numbers(stream, findings);
    fputs("</section>\n", stream);
}

static void write_end(FILE *stream, const struct findings *findings)
{
    const struct summary *s = findings->run->summary;

    fprintf(stream,
            "</main>\n<footer>\n<p>The same seed gives the same numbers again, for any number of "
            "threads:</p>\n<pre><code>examples/run --seed %" PRIu64 " --steps %" PRId64
            "</code></pre>\n<p class=\"note\">The figures lie beside this page as PNG files, the "
            "numbers in summary.json. The program is examples/visual_introduction.c; its first "
            "steps alone, in sixty lines, are examples/quickstart.c.</p>\n</footer>\n<script>\n",
            s->seed, s->steps);
    write_lines(stream, page_script);
    fputs("</script>\n</body>\n</html>\n", stream);
}

bool page_write(const struct findings *findings, const struct png figures[FIGURES],
                const char *path)
{
    struct output_file file;

    if (!output_file_open(&file, path))
        return false;
    write_lines(file.stream, head);
    write_lines(file.stream, page_style);
    write_lines(file.stream, introduction);
    write_run(file.stream, findings);
    write_contents(file.stream);
    for (int i = 0; i < sections_count; i++)
        write_section(file.stream, i, findings, figures);
    write_end(file.stream, findings);
    return output_file_finish(&file);
}
