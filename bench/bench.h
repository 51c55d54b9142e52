/* bench.h - what every benchmark prints: name value unit n median p99.
 *
 * Shapes     bench_header once, then bench_add for each sample and bench_line for each figure.
 * Units      samples are numbers of one unit of the caller's choice; times in microseconds.
 * Ownership  bench_init takes memory for samples_max samples; bench_release gives it back. Samples
 * past that are counted and replace older ones evenly, so that median and p99 stay true.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    double *samples;
    size_t sample_count, samples_max;
    uint64_t seen_count;
    double sum;
    struct random random;
};

static inline int64_t bench_now_us(void) {
    return sys_monotonic_us(NULL);
}

/* A benchmark has nothing to answer to an error with: it says what failed, and ends. */
static inline void bench_must(enum err err, const char *doing) {
    if (!err)
        return;
    fprintf(stderr, "bench: %s: %s\n", doing, err_sentence(err, false));
    exit(err_exit_code(err));
}

static inline void bench_init(struct bench *bench, size_t samples_max) {
    *bench = (struct bench){.samples_max = samples_max};
    bench->samples = (double *)memory_alloc(samples_max, sizeof *bench->samples);
    bench_must(bench->samples ? ERR_OK : ERR_MEMORY, "samples");
    random_init(&bench->random, 1);
}

static inline void bench_release(struct bench *bench) {
    memory_free(bench->samples);
    *bench = (struct bench){0};
}

static inline void bench_clear(struct bench *bench) {
    bench->sample_count = 0;
    bench->seen_count = 0;
    bench->sum = 0;
}

static inline void bench_add(struct bench *bench, double sample) {
    bench->seen_count++;
    bench->sum += sample;
    if (bench->sample_count < bench->samples_max) {
        bench->samples[bench->sample_count++] = sample;
        return;
    }
    /* Each of all samples seen has the same chance of being among those kept. */
    uint64_t at = random_below(&bench->random, bench->seen_count);
    if (at < bench->samples_max)
        bench->samples[at] = sample;
}

static inline int bench_compare(const void *a, const void *b) {
    const double *left = (const double *)a, *right = (const double *)b;
    return (*left > *right) - (*left < *right);
}

static inline double bench_percentile(const struct bench *sorted, unsigned percent) {
    if (sorted->sample_count == 0)
        return 0;
    size_t rank = (sorted->sample_count * percent + 99) / 100;
    return sorted->samples[rank ? rank - 1 : 0];
}

/* One figure: `value` is what is compared with the goal (a rate, a total); median and p99 are of
 * the samples, and "-" when there are none. */
static inline void bench_line(struct bench *bench, const char *name, double value,
                              const char *unit) {
    if (!bench || bench->sample_count == 0) {
        printf("%s %.6g %s 1 - -\n", name, value, unit);
    } else {
        qsort(bench->samples, bench->sample_count, sizeof *bench->samples, bench_compare);
        printf("%s %.6g %s %llu %.6g %.6g\n", name, value, unit,
               (unsigned long long)bench->seen_count, bench_percentile(bench, 50),
               bench_percentile(bench, 99));
    }
    fflush(stdout);
}

/* The mean of the samples, for figures that are their samples. */
static inline double bench_mean(const struct bench *bench) {
    return bench->seen_count ? bench->sum / (double)bench->seen_count : 0;
}

static inline void bench_cpu_model(char *model, size_t model_bytes) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(model, model_bytes, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(model, model_bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* "# name: 2 cores, <model>, commit <VEILLEUSE_COMMIT>", then the names of the columns. */
static inline void bench_header(const char *name) {
    char model[128];
    const char *commit = getenv("VEILLEUSE_COMMIT");
    bench_cpu_model(model, sizeof model);
    printf("# %s: %ld cores, %s, commit %s\n", name, sysconf(_SC_NPROCESSORS_ONLN), model,
           commit ? commit : "unknown");
    printf("# name value unit n median p99\n");
    fflush(stdout);
}

#endif
