/*
 * For tests of kernels: each_isa() runs them once for every instruction set that this machine has,
 * in a process of its own with QUERN_ISA set, since the choice is made once in a process. Plus
 * random numbers, and how far a float is from a double.
 */
#ifndef KERN_TEST_H
#define KERN_TEST_H

#include <float.h>
#include <sys/wait.h>
#include "base/cpu.h"
#include "base/rng.h"
#include "base/team.h"
#include "tap.h"

static inline void each_isa(void (*test)(void))
{
    for (int i = 0; i < ISA_N; i++) {
        int fd[2], counts[2] = {0, 1};
        if (!cpu_has((enum isa)i) || pipe(fd) < 0)
            continue;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            setenv("QUERN_ISA", cpu_isa_name((enum isa)i), 1);
            note("QUERN_ISA=%s", cpu_isa_name((enum isa)i));
            test();
            fflush(stdout);
            counts[0] = tap.n;
            counts[1] = tap.n_failed;
            _exit(write(fd[1], counts, sizeof counts) != (ssize_t)sizeof counts);
        }
        int status = 1;
        close(fd[1]);
        bool told = read(fd[0], counts, sizeof counts) == (ssize_t)sizeof counts;
        close(fd[0]);
        if (child < 0 || waitpid(child, &status, 0) < 0 || !told || status != 0)
            bail_out("the tests of an instruction set did not end");
        tap.n = counts[0];
        tap.n_failed = counts[1];
    }
}

/* n numbers from -1 to 1, the same for the same stream */
static inline void fill(float *v, size_t n, uint64_t stream)
{
    struct rng r;
    rng_init(&r, 1, RNG_TEST, stream);
    for (size_t i = 0; i < n; i++)
        v[i] = 2 * rng_f32(&r) - 1;
}

static inline float *filled(size_t n, uint64_t stream)
{
    float *v = malloc((n + 1) * sizeof *v);
    fill(v, n, stream);
    return v;
}

/* |got - want| in units of the last place of want */
static inline double ulps(float got, double want)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? !isnan(got) : got != (float)want;
    int e;
    frexp(want, &e);
    double unit = ldexp(1, (e < -125 ? -125 : e) - 24);
    return fabs((double)got - want) / unit;
}

/* The largest |got - want| over the largest |want|. */
static inline double worst(const float *got, const double *want, size_t n)
{
    double err = 0, top = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        err = d > err || isnan(d) ? d : err;
        top = fabs(want[i]) > top ? fabs(want[i]) : top;
    }
    return top > 0 ? err / top : err;
}

#endif
