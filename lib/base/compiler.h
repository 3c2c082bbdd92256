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
#define LIKELY(x)               __builtin_expect(!!(x), 1)
#define UNLIKELY(x)             __builtin_expect(!!(x), 0)
#define CTZ64(x)                __builtin_ctzll(x) /* undefined for 0 */
#define CLZ64(x)                __builtin_clzll(x) /* undefined for 0 */
#define POPCOUNT64(x)           __builtin_popcountll(x)

/* Nonzero where the product or sum does not fit, as the C23 functions of these names. */
#define CKD_MUL(out, a, b) __builtin_mul_overflow((a), (b), (out))
#define CKD_ADD(out, a, b) __builtin_add_overflow((a), (b), (out))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
