#include "picture.h"
#include "../output_file.h"

#include <stdlib.h>
#include <string.h>

void picture_create(struct picture *picture, int width, int height)
{
    picture->width = width;
    picture->height = height;
    picture->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * PICTURE_SCALE,
                                                  height * PICTURE_SCALE);
    cairo_surface_set_device_scale(picture->surface, PICTURE_SCALE, PICTURE_SCALE);
    picture->cairo = cairo_create(picture->surface);
    cairo_set_source_rgb(picture->cairo, 1, 1, 1);
    cairo_paint(picture->cairo);
    cairo_set_line_join(picture->cairo, CAIRO_LINE_JOIN_ROUND);
}

void picture_destroy(struct picture *picture)
{
    cairo_destroy(picture->cairo);
    cairo_surface_destroy(picture->surface);
    *picture = (struct picture){0};
}

struct growing_png {
    struct png *png;
    size_t capacity;
};

static cairo_status_t append(void *closure, const unsigned char *data, unsigned length)
{
    struct growing_png *growing = closure;
    struct png *png = growing->png;

    if (png->size + length > growing->capacity) {
        size_t capacity = 2 * (png->size + length);
        unsigned char *bytes = realloc(png->bytes, capacity);
        if (!bytes)
            return CAIRO_STATUS_NO_MEMORY;
        png->bytes = bytes;
        growing->capacity = capacity;
    }
    memcpy(png->bytes + png->size, data, length);
    png->size += length;
    return CAIRO_STATUS_SUCCESS;
}

bool picture_encode(const struct picture *picture, struct png *png)
{
    *png = (struct png){.width = picture->width, .height = picture->height};
    struct growing_png growing = {.png = png};
    cairo_status_t status = cairo_status(picture->cairo);

    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(picture->surface, append, &growing);
    if (status == CAIRO_STATUS_SUCCESS)
        return true;
    fprintf(stderr, "cannot draw: %s\n", cairo_status_to_string(status));
    png_destroy(png);
    return false;
}

bool png_write(const struct png *png, const char *path)
{
    struct output_file file;

    if (!output_file_open(&file, path))
        return false;
    /* A short write leaves the stream's error mark, which output_file_finish looks at. */
    fwrite(png->bytes, 1, png->size, file.stream);
    return output_file_finish(&file);
}

bool picture_finish(struct picture *picture, const char *path)
{
    struct png png = {0};
    bool written = picture_encode(picture, &png) && png_write(&png, path);

    png_destroy(&png);
    picture_destroy(picture);
    if (written)
        printf("picture written: %s\n", path);
    return written;
}

void png_destroy(struct png *png)
{
    free(png->bytes);
    *png = (struct png){0};
}
