/*
 * Which instruction set the kernels use: picked once from the processor (and the system's support
 * for its registers), or forced by QUERN_ISA=portable|avx2|avx512|avx512bf16|amx|neon. Forcing
 * one that the machine lacks, or an unknown name, is an error that names what there is.
 * avx2 means AVX2+FMA+F16C; avx512 means F, BW, VL, DQ; avx512bf16 adds BF16; amx adds AMX-TILE and
 * AMX-BF16, for which the system's permission is asked.
 */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include "quern/err.h"

enum isa { ISA_PORTABLE, ISA_AVX2, ISA_AVX512, ISA_AVX512BF16, ISA_AMX, ISA_NEON, ISA_N };

/* The choice; -1 and err if QUERN_ISA cannot be had. Commands that compute call it first. */
int cpu_isa(enum isa *out, struct err *e);
/* 1 if it is avx512 or above, on a machine that has AVX512-VBMI, VBMI2, VPCLMULQDQ and BMI2,
 * too. */
int cpu_uses_vbmi2(void);
const char *cpu_isa_name(enum isa i);
int cpu_has(enum isa i); /* 1 if this machine can run it */
/* 1 if i is part or has all its instructions: amx includes avx512bf16, avx512, avx2. */
int cpu_isa_includes(enum isa i, enum isa part);
int cpu_has_clmul(void);     /* 1 if this machine multiplies without carries, as CRCs do */
const char *cpu_model(void); /* "AMD EPYC ..." as the system names it, or "unknown" */

#endif
