/* Compiler-specific spellings, so that no other file needs any. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN                __attribute__((noreturn))
#define MUST_CHECK              __attribute__((warn_unused_result))
#define ALWAYS_INLINE           inline __attribute__((always_inline))
#define NO_INLINE               __attribute__((noinline))
#define RESTRICT                __restrict
#define ALIGNED(n)              __attribute__((aligned(n)))
#define ASSUME_ALIGNED(p, n)    __builtin_assume_aligned((p), (n))
#define PREFETCH(p)             __builtin_prefetch((p))
#define PREFETCH_L2(p)          __builtin_prefetch((p), 0, 2)
#define PREFETCH_WRITE(p)       __builtin_prefetch((p), 1)
#define LIKELY(x)               __builtin_expect(!!(x), 1)
#define UNLIKELY(x)             __builtin_expect(!!(x), 0)
#define CTZ64(x)                __builtin_ctzll(x) /* undefined for 0 */
#define CLZ64(x)                __builtin_clzll(x) /* undefined for 0 */
#define POPCOUNT64(x)           __builtin_popcountll(x)

/* Nonzero where the product or sum does not fit, as the C23 functions of these names. */
#define CKD_MUL(out, a, b) __builtin_mul_overflow((a), (b), (out))
#define CKD_ADD(out, a, b) __builtin_add_overflow((a), (b), (out))

/* A vector of n_bytes of `type` with the operators of C, lane by lane; a comparison gives 0 or -1.
 */
#define VECTOR(type, n_bytes)   type __attribute__((vector_size(n_bytes)))
#define VECTOR_CONVERT(v, type) __builtin_convertvector((v), type)

/* To the processor, while waiting for another thread. */
#if defined(__x86_64__) || defined(__i386__)
#    define CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#    define CPU_RELAX() __asm__ volatile("yield" ::: "memory")
#else
#    define CPU_RELAX() ((void)0)
#endif

/* Denormal inputs and results become zero in the calling thread, where the processor has such a
 * mode; returns what fpu_restore() takes to undo it. */
static inline unsigned long fpu_flush_denormals(void)
{
#if defined(__x86_64__)
    unsigned old = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(old | 0x8040); /* FTZ, DAZ */
    return old;
#elif defined(__aarch64__)
    unsigned long old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" ::"r"(old | 1ul << 24)); /* FZ */
    return old;
#else
    return 0;
#endif
}

static inline void fpu_restore(unsigned long old)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)old);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(old));
#else
    (void)old;
#endif
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
