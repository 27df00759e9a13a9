/* Arrays of NumPy's .npy files, mapped into memory. Knows no handle.
 *
 * Format: "A Simple File Format for NumPy Arrays", NumPy Enhancement Proposal 1; versions 1, 2, 3.
 *
 * Rows are read where they lie in the mapping, so that a file may be larger than the memory. What
 * lies beyond the end of a file that another program has cut short in the meantime cannot be
 * touched without a signal, which the library neither catches nor wants: npy_check_length looks at
 * the file's length, and is called before rows are read. */
#ifndef FORMAT_NPY_H
#define FORMAT_NPY_H

#include <flowmatch/status.h>

enum { NPY_COLUMNS_MAX = 65536 };

struct npy_type {
    char kind; /* f, i, u or b */
    int size;  /* bytes */
    bool big_endian;
    bool native; /* float as this processor has it */
};

struct npy_file {
    int descriptor;
    int64_t rows;
    int32_t columns; /* 1 for an array of one dimension */
    struct npy_type type;
    const unsigned char *cells; /* [rows, columns], within the mapping */
    void *mapping;
    size_t length; /* of the file and the mapping */
};

/* Map a file of numbers of one or two dimensions in C order. FMATCH_ERROR_FORMAT for what is no
 * such file, or not as long as its header says; FMATCH_ERROR_UNSUPPORTED for arrays of another
 * kind. On failure nothing is held. */
fmatch_status npy_open(struct npy_file *file, const char *path);
void npy_close(struct npy_file *file);

/* Is the file still as long as it was? FMATCH_ERROR_FORMAT if not. */
fmatch_status npy_check_length(const struct npy_file *file, const char *path);

/* `count` cells of a row from a column on, as floats; what is too large for one is infinite. */
void npy_get(const struct npy_file *file, int64_t row, int32_t column, int32_t count,
             float *values);

#endif
