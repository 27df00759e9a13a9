/* Structs that callers fill in: how one of another age is read and written.
 *
 * A struct is as long as the caller's headers say. A shorter one comes from an older caller, and
 * its missing tail is zero, which means the behaviour of that time. A longer one comes from a newer
 * caller, and is accepted if the part that this library does not know is zero. */
#ifndef BASE_CONFIGURATION_H
#define BASE_CONFIGURATION_H

#include <flowmatch/status.h>

/* Copy the caller's struct into ours of `size` bytes; `smallest` is the size of its first version.
 * `name` is the argument, for the detail. */
fmatch_status configuration_read(void *to, size_t size, size_t smallest, const void *from,
                                 const char *name);

/* Copy our struct of `size` bytes into the caller's, which has `caller_size`, and write that size
 * into it. */
void configuration_write(void *to, size_t caller_size, const void *from, size_t size);

/* The same with the preset of a number out of `presets`, `count` structs of `size` bytes. A number
 * that is none of theirs writes a struct of zeros, whose struct_size no create accepts. */
void configuration_write_preset(void *to, size_t caller_size, int32_t preset, const void *presets,
                                int32_t count, size_t size);

fmatch_status configuration_check_flags(const char *name, uint32_t flags);

/* A double in [lowest, highest], or in [lowest, highest) or (lowest, highest] as the brackets say.
 */
struct interval {
    double lowest, highest;
    bool open_below, open_above;
};
fmatch_status configuration_check_double(const char *name, double value, struct interval range);

/* A double that belongs to one kind of the struct it is in: 0 stands for `instead` there, and is
 * all that another kind may have. */
struct configuration_setting {
    const char *name;
    size_t offset; /* in the struct */
    int32_t kind;
    struct interval range;
    double instead;
};

/* Checks and completes the settings of a struct of a kind. */
fmatch_status configuration_check_settings(void *config, int32_t kind,
                                           const struct configuration_setting *settings,
                                           int32_t count);

#endif
