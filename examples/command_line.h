/** The command lines of the examples: a table of options, read and explained in one place. */
#ifndef EXAMPLES_COMMAND_LINE_H
#define EXAMPLES_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_TEXT,  /**< value is a const char ** */
    OPTION_COUNT, /**< value is an int64_t *, at least 1 */
    OPTION_SEED   /**< value is a uint64_t * */
};

struct command_option {
    const char *name;       /**< "--steps"; an operand, which has no name, is NULL */
    const char *value_name; /**< "N" */
    const char *meaning;    /**< one line for --help */
    enum option_kind kind;
    void *value; /**< holds the default; overwritten when the option is given */
};

struct command_line {
    const char *program;
    const char *purpose; /**< what the program does, for --help */
    const struct command_option *options;
    size_t count;
};

enum { COMMAND_LINE_GO_ON = -1 };

/**
 * Read argv into the options' values.
 *
 * @return COMMAND_LINE_GO_ON, or the exit status of the program: 0 after --help, 2 after a mistake,
 * which has been explained on standard error.
 */
int command_line_read(const struct command_line *line, int argc, char **argv);

/** Whether a count is in a range of its own; if not, that is explained on standard error. */
bool command_line_allows(const struct command_line *line, const char *option, int64_t value,
                         int64_t least, int64_t most);

#endif
