#include "page_player.h"
#include "page_text.h"

/** A place on the picture, in its points. */
static double across(double t)
{
    return sampled_path_frame.x + sampled_path_frame.width * t;
}

static double down(double x)
{
    return sampled_path_frame.y + sampled_path_frame.height * 0.5 * (1 - x / velocity_reach);
}

static void write_points(FILE *stream, const double path[POST_PATH_TIMES])
{
    for (int i = 0; i < POST_PATH_TIMES; i++)
        fprintf(stream, "%s%.2f,%.2f", i ? " " : "", across((double)i / POST_PATH_STEPS),
                down(path[i]));
}

static void write_overlay(FILE *stream, const struct png *ground,
                          const double path[POST_PATH_TIMES])
{
    fprintf(stream,
            "<svg viewBox=\"0 0 %d %d\" aria-hidden=\"true\">\n"
            "<polyline class=\"ahead\" points=\"",
            ground->width, ground->height);
    write_points(stream, path);
    fputs("\"/>\n<polyline class=\"gone\" id=\"gone\" points=\"", stream);
    write_points(stream, path);
    fputs("\"/>\n<g id=\"marks\"></g>\n<line id=\"arrow\" class=\"arrow\" "
          "marker-end=\"url(#head)\"/>\n"
          "<defs><marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"6\" refY=\"5\" markerWidth=\"4\" "
          "markerHeight=\"4\" orient=\"auto\"><path d=\"M0 0L10 5L0 10z\"/></marker></defs>\n",
          stream);
    fprintf(stream,
            "<circle id=\"point\" class=\"point\" r=\"8\" cx=\"%.2f\" cy=\"%.2f\"/>\n</svg>\n",
            across(1), down(path[POST_PATH_STEPS]));
}

static void write_json(FILE *stream, const double path[POST_PATH_TIMES])
{
    const struct rectangle *f = &sampled_path_frame;

    fprintf(stream,
            "<script type=\"application/json\" id=\"path\">\n"
            "{\"frame\": [%g, %g, %g, %g], \"reach\": %g, \"x\": [",
            f->x, f->y, f->width, f->height, velocity_reach);
    for (int i = 0; i < POST_PATH_TIMES; i++)
        fprintf(stream, "%s%.6g", i ? ", " : "", path[i]);
    fputs("]}\n</script>\n", stream);
}

void write_player(FILE *stream, const struct png *ground, const char *description,
                  const double path[POST_PATH_TIMES])
{
    fputs("<div class=\"player\" id=\"player\">\n<div class=\"picture stage\">\n", stream);
    write_image(stream, ground, description);
    write_overlay(stream, ground, path);
    fprintf(stream,
            "</div>\n<div class=\"controls\" id=\"controls\" hidden>\n"
            "<button type=\"button\" id=\"play\">Play</button>\n"
            "<input type=\"range\" id=\"time\" min=\"0\" max=\"%d\" step=\"1\" value=\"0\" "
            "aria-label=\"step of Euler’s method\">\n"
            "<output id=\"readout\" for=\"time\"></output>\n</div>\n</div>\n",
            POST_PATH_STEPS);
    write_json(stream, path);
}
