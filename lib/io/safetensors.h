/*
 * safetensors files: 8 bytes of header length, a JSON header, then the tensors' bytes.
 * Reading maps the file; hostile headers (lengths, overlaps, holes, overflowing shapes, unknown
 * dtypes, duplicate names) are refused with the tensor's name. Sharded models (an index.json
 * beside) are opened through st_open_dir. Writing streams tensors in the order of the plan, so
 * that nothing need be in memory twice; metadata is {"format":"pt"} and nothing else, and spaces
 * behind the header bring the data to a multiple of 8 bytes, as the reference writer does.
 */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>
#include "quern/err.h"

enum st_dtype {
    ST_F32,
    ST_F16,
    ST_BF16,
    ST_F64,
    ST_I64,
    ST_I32,
    ST_I16,
    ST_I8,
    ST_U8,
    ST_BOOL,
    ST_U64,
    ST_U32,
    ST_U16,
    ST_N
};
extern const char *const st_dtype_name[ST_N];
size_t st_dtype_bytes(enum st_dtype t);

#define ST_MAX_DIM 8
struct st_tensor {
    const char *name;
    enum st_dtype dtype;
    int n_dim;
    uint64_t shape[ST_MAX_DIM];
    uint64_t n_elem;
    const unsigned char *data; /* little-endian, in the map; any alignment */
    size_t n_bytes;
};

struct st;
struct st *st_open(const char *path, struct err *e);
/* model.safetensors in dir, or the shards of model.safetensors.index.json. */
struct st *st_open_dir(const char *dir, struct err *e);
size_t st_count(const struct st *s);
const struct st_tensor *st_at(const struct st *s, size_t i); /* in the order of the file(s) */
const struct st_tensor *st_find(const struct st *s, const char *name); /* NULL: none */
/* Elements [from, from + n) as f32 (from F32, F16, BF16, F64); -1 for integer types. */
int st_get_f32(const struct st_tensor *t, uint64_t from, uint64_t n, float *out, struct err *e);
void st_close(struct st *s);

/*
 * Writing: plan every tensor, begin, then exactly the planned bytes in order, then commit. A call
 * writes a part of one tensor or all of it, never beyond its end; tensors without elements are
 * passed over. After an error: st_abort, which leaves no file (st_commit frees in any case).
 */
struct st_writer;
struct st_writer *st_create(const char *path, struct err *e);
int st_plan(struct st_writer *w, const char *name, enum st_dtype t, int n_dim,
            const uint64_t *shape, struct err *e);
int st_begin(struct st_writer *w, struct err *e);
int st_write_f32(struct st_writer *w, const float *v, uint64_t n, struct err *e); /* to the dtype */
int st_write_raw(struct st_writer *w, const void *p, size_t n_bytes, struct err *e);
int st_commit(struct st_writer *w, struct err *e); /* frees w; checks that all was written */
void st_abort(struct st_writer *w);

#endif
