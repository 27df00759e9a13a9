#include "command_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t largest_count = 1000000000;

static void print_usage(const struct command_line *line, FILE *stream)
{
    fprintf(stream, "usage: %s", line->program);
    for (size_t i = 0; i < line->count; i++) {
        const struct command_option *option = &line->options[i];
        if (option->name)
            fprintf(stream, " [%s %s]", option->name, option->value_name);
        else
            fprintf(stream, " [%s]", option->value_name);
    }
    fprintf(stream, " [--help]\n");
}

static void print_default(const struct command_option *option)
{
    switch (option->kind) {
    case OPTION_TEXT:
        if (*(const char **)option->value)
            printf(" (default %s)", *(const char **)option->value);
        break;
    case OPTION_COUNT:
        if (*(int64_t *)option->value)
            printf(" (default %" PRId64 ")", *(int64_t *)option->value);
        break;
    case OPTION_SEED:
        printf(" (default %" PRIu64 ")", *(uint64_t *)option->value);
        break;
    }
}

/** "--steps N" */
static const char *write_label(const struct command_option *option, char label[64])
{
    snprintf(label, 64, "%s%s%s", option->name ? option->name : "", option->name ? " " : "",
             option->value_name);
    return label;
}

static void print_help(const struct command_line *line)
{
    char label[64];
    int width = 0;

    print_usage(line, stdout);
    printf("\n%s\n\n", line->purpose);
    for (size_t i = 0; i < line->count; i++) {
        int length = (int)strlen(write_label(&line->options[i], label));
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < line->count; i++) {
        const struct command_option *option = &line->options[i];
        printf("  %-*s  %s", width, write_label(option, label), option->meaning);
        print_default(option);
        printf("\n");
    }
    printf("  %-*s  this text\n", width, "--help");
}

static bool read_count(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < 1 || number > largest_count)
        return false;
    *value = number;
    return true;
}

static bool read_seed(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        return false;
    *value = number;
    return true;
}

/** Explains a value that cannot be used on standard error. */
static bool read_value(const struct command_line *line, const struct command_option *option,
                       const char *text)
{
    const char *label = option->name ? option->name : option->value_name;

    switch (option->kind) {
    case OPTION_TEXT:
        *(const char **)option->value = text;
        if (*text)
            return true;
        fprintf(stderr, "%s: %s is empty\n", line->program, label);
        return false;
    case OPTION_COUNT:
        if (read_count(text, option->value))
            return true;
        fprintf(stderr, "%s: %s is '%s'; it must be a whole number from 1 to %" PRId64 "\n",
                line->program, label, text, largest_count);
        return false;
    case OPTION_SEED:
        if (read_seed(text, option->value))
            return true;
        fprintf(stderr, "%s: %s is '%s'; it must be a whole number from 0 to 2^64 - 1\n",
                line->program, label, text);
        return false;
    }
    return false;
}

/** The option that an argument names, as "--steps" or "--steps=N"; or, if none is named, the
 * operand; or NULL. */
static const struct command_option *find_option(const struct command_line *line,
                                                const char *argument)
{
    bool named = argument[0] == '-' && argument[1];
    size_t length = strcspn(argument, "=");

    for (size_t i = 0; i < line->count; i++) {
        const char *name = line->options[i].name;
        if (named ? name && strlen(name) == length && !strncmp(name, argument, length) : !name)
            return &line->options[i];
    }
    return NULL;
}

static int refuse(const struct command_line *line, const char *what, const char *argument)
{
    fprintf(stderr, "%s: %s '%s'\n", line->program, what, argument);
    print_usage(line, stderr);
    return 2;
}

int command_line_read(const struct command_line *line, int argc, char **argv)
{
    bool operand_taken = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help(line);
            return 0;
        }
    }
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i], *text = argument;
        const struct command_option *option = find_option(line, argument);

        if (!option)
            return refuse(line, argument[0] == '-' ? "unknown option" : "unexpected argument",
                          argument);
        if (option->name) {
            const char *equals = strchr(argument, '=');
            text = equals ? equals + 1 : ++i < argc ? argv[i] : NULL;
            if (!text)
                return refuse(line, "a value is missing after", argument);
        } else if (operand_taken) {
            return refuse(line, "unexpected argument", argument);
        } else {
            operand_taken = true;
        }
        if (!read_value(line, option, text)) {
            print_usage(line, stderr);
            return 2;
        }
    }
    return COMMAND_LINE_GO_ON;
}

bool command_line_allows(const struct command_line *line, const char *option, int64_t value,
                         int64_t least, int64_t most)
{
    if (value >= least && value <= most)
        return true;
    fprintf(stderr, "%s: %s is %" PRId64 "; it must be between %" PRId64 " and %" PRId64 "\n",
            line->program, option, value, least, most);
    return false;
}
