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
};

#endif
