/*
 * The planner: which nodes run backward, and where each value, gradient and scratch area stands in
 * one arena of activations. A step has a time: node i's forward is i, its backward 2n - 1 - i. Two
 * things whose times of use do not overlap may share their place.
 */
#ifndef MODEL_PLAN_INT_H
#define MODEL_PLAN_INT_H

#include "model/pass_int.h"

/* p: graph, opt and n_tok are set. embed_grad keeps the embedding's gradient to the end.
 * *n_floats: the arena's size. */
int plan_make(struct graph *g, const struct pass *p, size_t *n_floats, struct err *e);

#endif
