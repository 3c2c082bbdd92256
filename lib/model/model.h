/*
 * A model: its config, its float32 master parameters in one arena, and the weight map between
 * them and the names and layouts of its family's safetensors file.
 *
 *     struct model *m = model_open("dir", e);           config.json and model.safetensors
 *     struct model *m = model_map("dir", e);             the same, read where it is needed
 *     struct model *m = model_new(&config, seed, e);    fresh, initialised
 *     model_save(m, "dir", ST_F32, e);                  writes config.json and model.safetensors
 *     model_free(m);
 *
 * Internally every matrix is [out, in] row-major, and matrices that one gemm can do together lie
 * together (q, k, v; gate, up); the weight map slices and transposes. The same map reads and
 * writes anything of the parameters' shape: gradients, moments.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/safetensors.h"
#include "model/config.h"
#include "quern/err.h"

struct model;

/* An internal parameter: n elements at float offset `at` of the arena (64-byte aligned). */
struct param {
    char name[64]; /* "layers.3.attn.qkv.weight" */
    size_t at, n;
    int rows, cols;     /* vectors: rows = 1 */
    bool decay;         /* two or more dimensions in the file: weight decay applies */
    bool requires_grad; /* default true */
};

struct model *model_open(const char *dir, struct err *e);
/* For inference: weights stay in the mapped file until model_need() asks for them or model_peek()
 * passes by; of those that only packed copies are made of, no floats are ever held. */
struct model *model_map(const char *dir, struct err *e);
/* Parameter i is in the arena from then on, if it was not: for the thread that owns the model. */
int model_need(struct model *m, int i, struct err *e);
/* The same of some rows of it alone: row[n], each below its number of rows. */
int model_need_rows(struct model *m, int i, const uint32_t *row, int n, struct err *e);
/* Whether parameter i can be peeked at, and need not be in the arena. */
bool model_mapped(const struct model *m, int i);
/* Elements [from, from + n) of parameter i, which is mapped. Any thread may. */
void model_peek(const struct model *m, int i, size_t from, size_t n, float *to);
/* Initialised as GPT-2: normal(init_std), residual projections over sqrt(2 n_layer). */
struct model *model_new(const struct config *c, uint64_t seed, struct err *e);
/* Without memory for the weights (model_weights is NULL): for what can be told beforehand. */
struct model *model_shape(const struct config *c, struct err *e);
void model_free(struct model *m);

const struct config *model_config(const struct model *m);
/* Takes over what a config may say otherwise without another shape: special ids, dropout rates. */
void model_adopt(struct model *m, const struct config *c);
int model_n_params(const struct model *m); /* tensors */
struct param *model_param(const struct model *m, int i);
size_t model_n_elem(const struct model *m);      /* floats in the arena, padding included */
uint64_t model_n_weights(const struct model *m); /* parameters as people count them */
float *model_weights(const struct model *m);     /* the arena */

/* Anything that is laid out as the parameter arena (weights, gradients, moments), in the family's
 * names and layouts: appended to a planned writer, or read from an open file. Reading demands
 * every tensor with its exact shape, by its full name or as base models are saved ("h.0..." for
 * "transformer.h.0..."); extra tensors are an error unless the family is known to carry them
 * (rotary inv_freq, attention masks, a tied head). */
int model_plan_save(const struct model *m, struct st_writer *w, const char *prefix,
                    enum st_dtype dtype, struct err *e);
int model_write(const struct model *m, const float *arena, struct st_writer *w, struct err *e);
int model_read(const struct model *m, const struct st *s, const char *prefix, float *arena,
               struct err *e);

/* config.json and model.safetensors in an existing directory. */
int model_save(const struct model *m, const char *dir, enum st_dtype dtype, struct err *e);

#endif
