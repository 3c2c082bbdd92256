/* The insides of a model, for the executor. */
#ifndef MODEL_MODEL_INT_H
#define MODEL_MODEL_INT_H

#include "model/map_int.h"
#include "model/model.h"

struct model {
    struct config config;
    struct param *params;
    struct map_entry *map;
    int n_params, n_map;
    size_t n_elem;
    float *weights;

    /* Of model_map(), else NULL. */
    struct st *file;
    struct map_entry *parts;          /* [n_map] map, in the arena's order */
    const struct st_tensor **tensors; /* [n_map] of parts */
    int *first;                       /* [n_params + 1] of parts: where a parameter's begin */
    bool *there;                      /* [n_params] in the arena */
    bool **rows_there;                /* [n_params] likewise, by row; NULL: none is, or all are */
};

#endif
