/*
 * Where the time of passes goes, node by node. Worker 0 reads the clock after each node's last
 * barrier; operations and bytes are reckoned from the shapes once the pass is over.
 */
#ifndef MODEL_PROFILE_INT_H
#define MODEL_PROFILE_INT_H

#include "model/pass_int.h"

struct profile {
    struct exec_profile_row rows[EXEC_PROFILE_ROWS];
    int n_rows;
    int *row_of;     /* of each node */
    double *spent_s; /* [n_steps], of the pass that runs */
    double packing_s;
};

int profile_init(struct profile *pr, const struct graph *g, struct err *e);
void profile_release(struct profile *pr);
void profile_clear(struct profile *pr);
/* Adds the pass that has ended. */
void profile_add(struct profile *pr, const struct pass *p);

#endif
