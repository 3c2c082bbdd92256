/* The table of one instruction set; ops_NAME.c includes its vec_NAME_int.h and this. */
#ifndef OPS_IMPL_INT_H
#define OPS_IMPL_INT_H

#include <math.h>
#include <string.h>
#include "kern/ops_int.h"
#include "kern/elem_impl_int.h"
#include "kern/rows_impl_int.h"

const struct ops VEC(ops) = {
    .name = VEC_NAME,
    .add = add,
    .add_scaled = add_scaled,
    .scale = scale,
    .clamp = clamp,
    .exp = exp_n,
    .softcap = softcap,
    .softcap_grad = softcap_grad,
    .act = act,
    .act_grad = act_grad,
    .glu = glu,
    .glu_grad = glu_grad,
    .act_bf16 = act_bf16,
    .act_grad_bf16 = act_grad_bf16,
    .glu_bf16 = glu_bf16,
    .bf16_round = bf16_round,
    .bf16_from_f32 = bf16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .sum_squares = sum_squares,
    .sum_squares_rows = sum_squares_rows,
    .max = max_n,
    .gather = gather,
    .norm = norm,
    .norm_bf16 = norm_bf16,
    .norm_grad = norm_grad,
    .sum_rows = sum_rows,
    .rope = rope,
    .dropout = dropout,
    .xent = xent,
    .xent_grad = xent_grad,
    .xent_grad_bf16 = xent_grad_bf16,
    .softmax = softmax,
    .adamw = adamw,
    .fma_burst = fma_burst,
};

#endif
