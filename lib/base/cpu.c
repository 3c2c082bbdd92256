/* Instruction sets of the processor. Compiler- and machine-specific by nature. */
#include "base/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/sys.h"

static const char *const names[ISA_N] = {"portable", "avx2", "avx512", "avx512bf16", "amx", "neon"};

const char *cpu_isa_name(enum isa i)
{
    return names[i];
}

int cpu_isa_includes(enum isa i, enum isa part)
{
    if (part == ISA_PORTABLE || part == i)
        return 1;
    return i <= ISA_AMX && part < i; /* those of x86 stand in order */
}

#if defined(__x86_64__) || defined(__i386__)
#    include <cpuid.h>

struct regs {
    unsigned a, b, c, d;
};

static struct regs cpuid(unsigned leaf, unsigned sub)
{
    struct regs r = {0};
    __get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d);
    return r;
}

/* Which registers the system saves: bits 1-2 SSE and AVX, 5-7 those of AVX-512, 17-18 tiles. */
static uint64_t saved_state(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool all(unsigned reg, unsigned bits)
{
    return (reg & bits) == bits;
}

/* Intel SDM vol. 2A, CPUID: leaf 1 and leaf 7, subleaves 0 and 1. */
static bool machine_has(enum isa i)
{
    struct regs one = cpuid(1, 0), seven = cpuid(7, 0), more = cpuid(7, 1);
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    const unsigned bf16 = 1u << 5, amx_bf16 = 1u << 22, amx_tile = 1u << 24;
    if (!all(one.c, osxsave | avx) || (saved_state() & 0x06) != 0x06)
        return false;
    if (!all(one.c, fma | f16c) || !all(seven.b, avx2))
        return false;
    if (i == ISA_AVX2)
        return true;
    if ((saved_state() & 0xe0) != 0xe0 || !all(seven.b, f | dq | bw | vl))
        return false;
    if (i == ISA_AVX512 || !all(more.a, bf16))
        return i == ISA_AVX512;
    if (i == ISA_AVX512BF16)
        return true;
    return i == ISA_AMX && all(seven.d, amx_bf16 | amx_tile) &&
           (saved_state() & 0x60000) == 0x60000 && sys_allow_tiles() == 0;
}

int cpu_has_clmul(void)
{
    return all(cpuid(1, 0).c, 1u << 1 | 1u << 19); /* PCLMULQDQ, SSE4.1 */
}

static bool has_vbmi2(void)
{
    struct regs seven = cpuid(7, 0);
    return all(seven.c, 1u << 1 | 1u << 6 | 1u << 10) && all(seven.b, 1u << 8);
}
#elif defined(__aarch64__)
static bool machine_has(enum isa i)
{
    return i == ISA_NEON; /* part of the architecture's base */
}
#else
static bool machine_has(enum isa i)
{
    (void)i;
    return false;
}
#endif

#if !defined(__x86_64__) && !defined(__i386__)
int cpu_has_clmul(void)
{
    return 0;
}

static bool has_vbmi2(void)
{
    return false;
}
#endif

int cpu_has(enum isa i)
{
    return i == ISA_PORTABLE || machine_has(i);
}

/* "portable, avx2": all of them, or those that this machine has. */
static void list(struct buf *out, bool only_here)
{
    for (int i = 0; i < ISA_N; i++)
        if (!only_here || cpu_has((enum isa)i))
            buf_printf(out, NULL, "%s%s", out->len ? ", " : "", names[i]);
}

static int forced(const char *name, enum isa *out, struct err *e)
{
    struct buf words = BUF_INIT;
    int i = 0;
    while (i < ISA_N && strcmp(names[i], name) != 0)
        i++;
    if (i < ISA_N && cpu_has((enum isa)i)) {
        *out = (enum isa)i;
        return 0;
    }
    list(&words, i < ISA_N);
    if (i < ISA_N)
        err_set(e, "QUERN_ISA=%s: this machine lacks it; it has %s", name, words.s);
    else
        err_set(e, "QUERN_ISA=%s: no such instruction set; there are %s", name, words.s);
    buf_release(&words);
    return -1;
}

int cpu_isa(enum isa *out, struct err *e)
{
    static const enum isa by_speed[] = {ISA_AMX,  ISA_AVX512BF16, ISA_AVX512,
                                        ISA_AVX2, ISA_NEON,       ISA_PORTABLE};
    static atomic_int choice = -1; /* made once */
    int c = atomic_load(&choice);
    if (c < 0) {
        const char *name = getenv("QUERN_ISA");
        enum isa i = ISA_PORTABLE;
        if (name && *name) {
            if (forced(name, &i, e) < 0)
                return -1;
        } else {
            int k = 0;
            while (!cpu_has(by_speed[k]))
                k++;
            i = by_speed[k];
        }
        c = (int)i;
        atomic_store(&choice, c);
    }
    *out = (enum isa)c;
    return 0;
}

int cpu_uses_vbmi2(void)
{
    enum isa i;
    return cpu_isa(&i, NULL) == 0 && cpu_isa_includes(i, ISA_AVX512) && has_vbmi2();
}

static char model[128] = "unknown";

static void read_model(void)
{
    char line[256];
    bool found = false;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(model, sizeof model, "%.127s", colon);
        found = true;
    }
    if (f)
        fclose(f);
}

const char *cpu_model(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_model);
    return model;
}
