#include "page_text.h"

#include <math.h>

void write_escaped(FILE *stream, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", stream);
            break;
        case '<':
            fputs("&lt;", stream);
            break;
        case '>':
            fputs("&gt;", stream);
            break;
        case '"':
            fputs("&quot;", stream);
            break;
        default:
            fputc(*text, stream);
        }
}

void write_lines(FILE *stream, const char *const lines[])
{
    for (int i = 0; lines[i]; i++)
        fprintf(stream, "%s\n", lines[i]);
}

void write_decimal(FILE *stream, int decimals, double number)
{
    fprintf(stream, "%s%.*f", number < 0 ? "−" : "", decimals, fabs(number));
}

void write_count(FILE *stream, int64_t number)
{
    if (number >= 1000) {
        write_count(stream, number / 1000);
        fprintf(stream, "\u202f%03d", (int)(number % 1000));
    } else {
        fprintf(stream, "%d", (int)number);
    }
}

static void write_base64(FILE *stream, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        unsigned second = i + 1 < size ? bytes[i + 1] : 0, third = i + 2 < size ? bytes[i + 2] : 0;
        unsigned group = (unsigned)bytes[i] << 16 | second << 8 | third;

        fputc(digits[group >> 18], stream);
        fputc(digits[group >> 12 & 63], stream);
        fputc(i + 1 < size ? digits[group >> 6 & 63] : '=', stream);
        fputc(i + 2 < size ? digits[group & 63] : '=', stream);
    }
}

void write_image(FILE *stream, const struct png *png, const char *description)
{
    fprintf(stream, "<img width=\"%d\" height=\"%d\" alt=\"", png->width, png->height);
    write_escaped(stream, description);
    fputs("\" src=\"data:image/png;base64,", stream);
    write_base64(stream, png->bytes, png->size);
    fputs("\">\n", stream);
}

void write_row(FILE *stream, const char *name, int decimals, int n, const double *numbers)
{
    fprintf(stream, "<tr><th scope=\"row\">%s</th>", name);
    for (int i = 0; i < n; i++) {
        fputs("<td>", stream);
        write_decimal(stream, decimals, numbers[i]);
        fputs("</td>", stream);
    }
    fputs("</tr>\n", stream);
}
