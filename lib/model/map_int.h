/*
 * The weight map: which tensor of the family's file is which part of which internal parameter.
 * A part is always one run of floats in the arena: rows of a matrix, or elements of a vector.
 */
#ifndef MODEL_MAP_INT_H
#define MODEL_MAP_INT_H

#include "io/safetensors.h"
#include "model/graph_int.h"

struct map_entry {
    char name[96];   /* in the file */
    size_t at;       /* floats from the arena's start */
    int rows, cols;  /* of the part, as it lies in the arena; vectors: rows = 1 */
    int n_dim;       /* in the file: 1 or 2 */
    bool transposed; /* the file has [cols, rows] */
};

/* The entries of a graph's parameters, in the order of the family's table; caller frees. */
struct map_entry *map_new(const struct graph *g, int *n, struct err *e);
/* Every entry is there with its shape, and nothing else is, but what is known to do no harm. */
int map_check(const struct map_entry *m, int n, const struct config *c, const struct st *s,
              const char *prefix, struct err *e);
/* The tensor of an entry; after map_check there is one. */
const struct st_tensor *map_tensor(const struct map_entry *m, const struct st *s);
/* Elements [at, at + n) of the arena, of entries that the file does not hold transposed; t are
 * their tensors. */
int map_peek(const struct map_entry *m, const struct st_tensor *const *t, int n_entries, size_t at,
             size_t n, float *to, struct err *e);
/* After map_check. */
int map_read(const struct map_entry *m, int n, const struct st *s, const char *prefix, float *arena,
             struct err *e);
int map_plan(const struct map_entry *m, int n, struct st_writer *w, const char *prefix,
             enum st_dtype dtype, struct err *e);
int map_write(const struct map_entry *m, int n, const float *arena, struct st_writer *w,
              struct err *e);

#endif
