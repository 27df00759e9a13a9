/* What the machine can do: the rates against which the library is measured. Reads commands from
 * standard input, one a line, and answers each with billions of floating-point operations a second:
 *
 *   sgemm SIZE THREADS MILLISECONDS   OpenBLAS's product of two matrices SIZE x SIZE
 *   fma THREADS MILLISECONDS          multiply-adds in registers, THREADS loops side by side
 */
#define _GNU_SOURCE /* affinity */
#include <cblas.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *matrix(int size)
{
    float *a = malloc(sizeof *a * (size_t)size * (size_t)size);
    if (!a)
        exit(1);
    for (int i = 0; i < size * size; i++)
        a[i] = (float)(i % 7) - 3.0f;
    return a;
}

static void answer_sgemm(const char *line)
{
    int size = 0, threads = 0;
    double milliseconds = 0;
    sscanf(line, "%d %d %lf", &size, &threads, &milliseconds);
    float *a = matrix(size), *b = matrix(size), *c = matrix(size);
    openblas_set_num_threads(threads);
    double began = 0, seconds = 0;
    long products = -3; /* warm-up */
    for (; products < 1 || seconds < 1e-3 * milliseconds; products++) {
        if (products == 0)
            began = seconds_now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size, size, size, 1.0f, a, size, b,
                    size, 0.0f, c, size);
        seconds = seconds_now() - began;
    }
    printf("%.3f\n", 2e-9 * (double)size * size * size * (double)products / seconds);
    free(a);
    free(b);
    free(c);
}

enum { CHAINS = 12, LANES = 8, BURST = 100000, THREADS_MAX = 64 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* One loop: until when, how far it came, and a sum that keeps it from being optimised away. */
struct loop {
    pthread_t thread;
    double end;
    long bursts;
    float sum;
};

/* A new thread may share its parent's processor for a tenth of a second before the system moves it:
 * each loop gets one of its own. */
static void choose_processor(pthread_t thread, int number)
{
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && number-- == 0)
            CPU_SET(cpu, &one);
    if (CPU_COUNT(&one) == 1)
        pthread_setaffinity_np(thread, sizeof one, &one);
}

static void *multiply_add(void *argument)
{
    struct loop *loop = argument;
    lanes x[CHAINS];
    for (int k = 0; k < CHAINS; k++)
        x[k] = (lanes){0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f};
    for (; seconds_now() < loop->end; loop->bursts++)
        for (int i = 0; i < BURST; i++)
#pragma GCC unroll 12
            for (int k = 0; k < CHAINS; k++)
                x[k] = x[k] * 0.999f + 0.001f;
    for (int k = 0; k < CHAINS; k++)
        loop->sum += x[k][0];
    return NULL;
}

static void answer_fma(const char *line)
{
    int threads = 0;
    double milliseconds = 0;
    sscanf(line, "%d %lf", &threads, &milliseconds);
    if (threads < 1 || threads > THREADS_MAX)
        exit(1);
    struct loop loop[THREADS_MAX] = {0};
    const double began = seconds_now();
    for (int i = 0; i < threads; i++) {
        loop[i].end = began + 1e-3 * milliseconds;
        if (pthread_create(&loop[i].thread, NULL, multiply_add, &loop[i]) != 0)
            exit(1);
        choose_processor(loop[i].thread, i);
    }
    long bursts = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(loop[i].thread, NULL);
        bursts += loop[i].bursts;
    }
    const double seconds = seconds_now() - began;
    printf("%.3f\n", 2e-9 * CHAINS * LANES * (double)BURST * (double)bursts / seconds);
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "sgemm ", 6) == 0)
            answer_sgemm(line + 6);
        else if (strncmp(line, "fma ", 4) == 0)
            answer_fma(line + 4);
        else
            return 1;
        fflush(stdout);
    }
    return 0;
}
