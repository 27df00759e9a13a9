/** Version of the interface and of the library, and the attributes of exported functions. */
#ifndef FLOWMATCH_VERSION_H
#define FLOWMATCH_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FMATCH_VERSION_MAJOR 0
#define FMATCH_VERSION_MINOR 1
#define FMATCH_VERSION_PATCH 0

/**
 * Number of the binary interface, which is also the soname's: a program runs with any library of
 * the same number.
 */
#define FMATCH_ABI_VERSION 0

#ifndef FMATCH_API
#if defined(__GNUC__)
#define FMATCH_API __attribute__((visibility("default")))
#else
#define FMATCH_API
#endif
#endif

/* Define FMATCH_NO_WARN_UNUSED before including the library to switch the warning about an ignored
 * status off. */
#if defined(__GNUC__) && !defined(FMATCH_NO_WARN_UNUSED)
#define FMATCH_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define FMATCH_WARN_UNUSED
#endif

/** How the library was built, and what it found. Texts are "" where there is nothing to say. */
typedef struct fmatch_build_info {
    uint32_t struct_size;        /**< sizeof(fmatch_build_info), set by the caller */
    int32_t blas_threads;        /**< threads of the BLAS now; 0 without a BLAS */
    const char *version;         /**< of the library, "major.minor.patch" */
    const char *blas_name;       /**< "OpenBLAS" */
    const char *blas_version;    /**< "0.3.21" */
    const char *blas_core;       /**< the kernels that it chose for the processor, "Zen" */
    const char *blas_threading;  /**< "serial", "pthread" or "OpenMP" */
    const char *instruction_set; /**< that a context with AUTO uses: "baseline" or "AVX2" */
} fmatch_build_info;

#ifdef __cplusplus
extern "C" {
#endif

/** Version of the library that is running, as "major.minor.patch". Static storage. */
FMATCH_API const char *fmatch_version_get_text(void);

/**
 * FMATCH_ABI_VERSION of the library that is running; compare it with the header's after loading
 * dynamically.
 */
FMATCH_API int32_t fmatch_version_get_abi(void);

/**
 * Facts about the build. Does nothing for a struct_size that is not one of fmatch_build_info's.
 *
 * @param info  its struct_size set; the rest is written. Texts are valid until the thread calls
 * this function again.
 */
FMATCH_API void fmatch_build_get_info(fmatch_build_info *info);

#ifdef __cplusplus
}
#endif

#endif
