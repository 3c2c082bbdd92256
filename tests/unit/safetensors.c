/* safetensors: samples good and bad, models of the reference writer, writing and reading back. */
#include "tap.h"

#include <glob.h>
#include <sys/stat.h>
#include "base/half.h"
#include "base/mem.h"
#include "io/in.h"
#include "io/safetensors.h"

static struct st *open_sample(const char *name, struct err *e)
{
    char path[256];
    snprintf(path, sizeof path, "tests/files/%s.safetensors", name);
    return st_open(top_path(path), e);
}

static void test_good(void)
{
    static const float want[] = {0, 1, -2, 0.5f, 3.25f, -1e30f};
    struct err e = {0};
    float v[6];
    struct st *s = open_sample("good-f32", &e);
    const struct st_tensor *t = s ? st_at(s, 0) : NULL;
    ok(t && st_count(s) == 1 && !strcmp(t->name, "w"), "one tensor, the metadata is none: %s",
       e.msg);
    ok(t->dtype == ST_F32 && t->n_dim == 2 && t->shape[0] == 2 && t->shape[1] == 3 &&
           t->n_elem == 6 && t->n_bytes == 24,
       "its dtype and shape");
    is_int(st_get_f32(t, 0, 6, v, &e), 0, "its values");
    is_mem(v, want, sizeof want, "bit for bit");
    is_int(st_get_f32(t, 4, 2, v, &e), 0, "a part of them");
    is_mem(v, want + 4, 8, "bit for bit");
    st_close(s);

    s = open_sample("good-order", &e);
    ok(s && st_count(s) == 4, "four tensors, one without elements");
    is_str(st_at(s, 0)->name, "a", "in the order of their places, not of the header");
    is_int(st_at(s, 0)->n_elem, 1, "a scalar has one element");
    is_int(st_find(s, "empty")->n_bytes, 0, "one with a zero in its shape has none");
    ok(st_get_f32(st_find(s, "b"), 0, 1, v, &e) == 0 && v[0] == 2, "found by name");
    ok(!st_find(s, "d") && !st_find(s, ""), "no other is found");
    st_close(s);

    s = open_sample("good-none", &e);
    ok(s && st_count(s) == 0 && !st_find(s, "w"), "a file without tensors");
    st_close(s);
    s = open_sample("good-escaped", &e);
    ok(s && st_find(s, "a/\xc3\xa9"), "a name with escapes: %s", e.msg);
    st_close(s);
}

static void test_dtypes(void)
{
    static const struct {
        const char *name;
        enum st_dtype dtype;
        double v[3];
    } c[] = {
        {"f16", ST_F16, {1, -2.5, 0x1p-24}},
        {"bf16", ST_BF16, {1, -2.5, INFINITY}},
        {"f64", ST_F64, {(float)0.1, -INFINITY}},
        {"f32", ST_F32, {7.5}},
        {"i8", ST_I8, {0}},
        {"u8", ST_U8, {0}},
        {"bool", ST_BOOL, {0}},
        {"i16", ST_I16, {0}},
        {"u16", ST_U16, {0}},
        {"i32", ST_I32, {0}},
        {"u32", ST_U32, {0}},
        {"i64", ST_I64, {0}},
        {"u64", ST_U64, {0}},
    };
    struct err e = {0};
    struct st *s = open_sample("good-dtypes", &e);
    is_int(s ? st_count(s) : 0, ARRAY_LEN(c), "a tensor of every dtype: %s", e.msg);
    for (size_t i = 0; s && i < ARRAY_LEN(c); i++) {
        const struct st_tensor *t = st_find(s, c[i].name);
        float v[3] = {0};
        int rc = st_get_f32(t, 0, t->n_elem, v, &e);
        bool real = i < 4;
        ok(t->dtype == c[i].dtype && rc == (real ? 0 : -1) &&
               t->n_bytes == t->n_elem * st_dtype_bytes(t->dtype),
           "%s", st_dtype_name[t->dtype]);
        for (size_t k = 0; real && k < t->n_elem; k++)
            ok(v[k] == (float)c[i].v[k], "%s[%zu] is %g", c[i].name, k, v[k]);
    }
    is_like(e.msg, "tensor 'u64' is of dtype U64, not of floating point", "integers are no f32");
    st_close(s);
}

static void test_bad(void)
{
    static const struct {
        const char *name, *why;
    } c[] = {
        {"empty", ": 0 bytes are too few"},
        {"short", ": 7 bytes are too few"},
        {"length-beyond", "reach beyond the end of the file"},
        {"length-huge", "over the limit of 100 MiB"},
        {"length-zero", "at byte 8: the header is not a JSON object"},
        {"length-cut", "at byte 48: the text ends within"},
        {"text", "over the limit of 100 MiB"},
        {"utf8", "at byte 10: invalid UTF-8"},
        {"array", "at byte 8: the header is not a JSON object"},
        {"bom", "at byte 11: the header is not a JSON object"},
        {"json", "a key in quotes is missing"},
        {"after", "text follows the value"},
        {"entry", "the tensor's entry is not an object"},
        {"missing", "tensor 'w' lacks dtype, shape or data_offsets"},
        {"field-twice", "the same field twice"},
        {"dtype", "tensor 'w': dtype F8_E4M3 is not supported"},
        {"dtype-number", "the dtype is not a string"},
        {"shape-negative", "the number is not a whole one"},
        {"shape-real", "the number is not a whole one"},
        {"shape-string", "a number is missing"},
        {"shape-dims", "the array is too long"},
        {"shape-overflow", "tensor 'w': its shape is too large"},
        {"bytes-overflow", "tensor 'w': its shape is too large"},
        {"offsets-order", "tensor 'w': offsets 24 to 0 do not lie within the file's 24 bytes"},
        {"offsets-beyond", "tensor 'w': offsets 0 to 28 do not lie within the file's 24 bytes"},
        {"offsets-one", "tensor 'w' lacks"},
        {"offsets-three", "the array is too long"},
        {"size", "tensor 'w': dtype and shape make 20 bytes, its offsets 24"},
        {"overlap", "tensor 'w' overlaps another"},
        {"same-place", "overlaps another"},
        {"hole", "tensor 'w' begins behind a hole"},
        {"hole-first", "tensor 'w' begins behind a hole"},
        {"trailing", "1 bytes follow the last tensor"},
        {"cut", "is it truncated?"},
        {"name-twice", "tensor 'w' is there twice"},
        {"name-nul", "a NUL in a name"},
        {"metadata", "a value in __metadata__ is not a string"},
        {"metadata-array", "__metadata__ is not an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char name[64];
        struct err e = {0};
        snprintf(name, sizeof name, "bad-%s", c[i].name);
        struct st *s = open_sample(name, &e);
        ok(!s, "%s is refused", name);
        is_like(e.msg, c[i].why, "%s", e.msg);
        ok(strstr(e.msg, name) && !strchr(e.msg, '\n'), "in a line that names the file");
        st_close(s);
    }
    glob_t g;
    is_int(glob(top_path("tests/files/bad-*.safetensors"), 0, NULL, &g), 0, "samples");
    is_int(g.gl_pathc, ARRAY_LEN(c), "none is left out");
    globfree(&g);
}

/* Without the fsync that out.h makes. */
static void put(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f))
        bail_out("cannot write a scratch file");
}

/* Every prefix of a good file is refused, and no flipped bit of its header does harm. */
static void test_damage(void)
{
    struct err e = {0};
    size_t n;
    struct in *in = in_open(top_path("tests/files/good-dtypes.safetensors"), 0, &e);
    char *p = in_all(in, 1 << 20, &n, &e);
    const char *path = scratch_path("damaged.safetensors");
    int n_taken = 0;
    in_close(in);
    for (size_t k = 0; k < n; k++) {
        put(path, p, k);
        struct st *s = st_open(path, &e);
        n_taken += s != NULL;
        st_close(s);
    }
    is_int(n_taken, 0, "no prefix of a file is taken for one");
    for (size_t k = 0; k < n - 66; k++) {
        float v[4];
        p[k] ^= (char)(1 << k % 8);
        put(path, p, n);
        struct st *s = st_open(path, &e);
        for (size_t i = 0; s && i < st_count(s); i++) {
            const struct st_tensor *t = st_at(s, i);
            st_get_f32(t, 0, t->n_elem < 4 ? t->n_elem : 4, v, NULL);
        }
        st_close(s);
        p[k] ^= (char)(1 << k % 8);
    }
    pass("flipped bits are survived");
    free(p);
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    put(path, text, strlen(text));
}

static void copy_sample(const char *from, const char *dir, const char *to)
{
    char path[256];
    struct err e = {0};
    size_t n;
    snprintf(path, sizeof path, "tests/files/%s", from);
    struct in *in = in_open(top_path(path), 0, &e);
    char *p = in ? in_all(in, 1 << 20, &n, &e) : NULL;
    snprintf(path, sizeof path, "%s/%s", dir, to);
    if (!p)
        bail_out(e.msg);
    put(path, p, n);
    free(p);
    in_close(in);
}

static void test_sharded(void)
{
    static const struct {
        const char *index, *why;
    } c[] = {
        {"", "there is no value"},
        {"[]", "not an object"},
        {"{}", "no weight_map with tensors"},
        {"{\"weight_map\":{}}", "no weight_map with tensors"},
        {"{\"weight_map\":[]}", "weight_map is not an object"},
        {"{\"weight_map\":{\"w\":1}}", "a file name is missing"},
        {"{\"weight_map\":{\"w\":\"../model.safetensors\"}}", "leads out of the directory"},
        {"{\"weight_map\":{\"w\":\"..\"}}", "leads out of the directory"},
        {"{\"weight_map\":{\"w\":\"\"}}", "leads out of the directory"},
        {"{\"weight_map\":{\"w\":\"/etc/passwd\"}}", "leads out of the directory"},
        {"{\"weight_map\":{\"w\":\"a\"}} x", "text follows the value"},
        {"{\"weight_map\":{\"w\":\"absent\"}}", "absent: No such file"},
        {"{\"weight_map\":{\"v\":\"a\"}}", "tensor 'v' is not in a"},
        {"{\"weight_map\":{\"w\":\"a\",\"x\":\"a\"}}", "tensor 'x' is not in a"},
        {"{\"weight_map\":{\"w\":\"b\",\"x\":\"a\"}}", "is not in"},
        {"{\"weight_map\":{\"w\":\"a\",\"x\":\"c\"}}", "tensor 'w' is there twice"},
    };
    struct err e = {0};
    struct st *s = st_open_dir(top_path("tests/files/good-sharded"), &e);
    ok(s && st_count(s) == 3, "a model in two files: %s", e.msg);
    float v = 0;
    ok(s && !strcmp(st_at(s, 2)->name, "z") && st_get_f32(st_find(s, "y"), 0, 1, &v, &e) == 0 &&
           v == 2,
       "its tensors, in the order of the files");
    st_close(s);
    const char *dir = scratch_path("model");
    mkdir(dir, 0777);
    copy_sample("good-f32.safetensors", dir, "a");
    copy_sample("good-f32.safetensors", dir, "c");
    copy_sample("good-order.safetensors", dir, "b");
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        write_text(dir, "model.safetensors.index.json", c[i].index);
        s = st_open_dir(dir, &e);
        ok(!s, "refused: %s", c[i].index);
        is_like(e.msg, c[i].why, "%s", e.msg);
        st_close(s);
    }
    copy_sample("good-f32.safetensors", dir, "model.safetensors");
    s = st_open_dir(dir, &e);
    ok(s && st_count(s) == 1, "model.safetensors goes before an index");
    st_close(s);
    ok(!st_open_dir(scratch_path("absent"), &e), "no directory");
    is_like(e.msg, "absent/model.safetensors: No such file", "%s", e.msg);
    ok(!st_open(dir, &e), "a directory is no file");
    is_like(e.msg, "is a directory", "%s", e.msg);
}

static void test_golden(void)
{
    const char *golden = shared_path("golden/models");
    glob_t g;
    if (!golden) {
        skip(1, "no ../shared");
        return;
    }
    char pattern[4200];
    snprintf(pattern, sizeof pattern, "%s/*", golden);
    glob(pattern, 0, NULL, &g);
    ok(g.gl_pathc >= 10, "golden models");
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct err e = {0};
        struct st *s = st_open_dir(g.gl_pathv[i], &e);
        bool finite = s && st_count(s) > 0;
        for (size_t k = 0; s && k < st_count(s); k++) {
            const struct st_tensor *t = st_at(s, k);
            float *v = malloc(t->n_elem * sizeof *v + 1);
            finite &= st_get_f32(t, 0, t->n_elem, v, &e) == 0 && t == st_find(s, t->name);
            for (size_t m = 0; finite && m < t->n_elem; m++)
                finite &= isfinite(v[m]) && fabsf(v[m]) < 10;
            free(v);
        }
        ok(finite, "%s %s", strrchr(g.gl_pathv[i], '/') + 1, e.msg);
        st_close(s);
    }
    globfree(&g);
}

static float sample_value(size_t i)
{
    return (float)((double)(i * 2654435761u % 100003) / 100003 * 4 - 2);
}

/* What is written is read back: every real dtype, over several calls and buffers. */
static void test_write(void)
{
    enum { N = 10007 };
    static const enum st_dtype types[] = {ST_F32, ST_F16, ST_BF16, ST_F64};
    const char *path = scratch_path("written.safetensors");
    struct err e = {0};
    float *v = malloc(N * sizeof *v), *back = malloc(N * sizeof *back);
    uint64_t shape[2] = {N, 1}, none[2] = {5, 0};
    int32_t ids[3] = {1, -2, 3};
    for (size_t i = 0; i < N; i++)
        v[i] = sample_value(i);
    struct st_writer *w = st_create(path, &e);
    ok(w && st_plan(w, "w", ST_F32, 2, shape, &e) == 0 && st_begin(w, &e) == 0, "begun %s", e.msg);
    st_abort(w);
    ok(access(path, F_OK) < 0, "nothing is left after an abort");

    w = st_create(path, &e);
    st_plan(w, "none.first", ST_F32, 2, none, &e);
    st_plan(w, "f32", ST_F32, 2, shape, &e);
    st_plan(w, "f16", ST_F16, 2, shape, &e);
    st_plan(w, "none \"mid\" \xc3\xa9", ST_I8, 2, none, &e);
    st_plan(w, "bf16", ST_BF16, 1, shape, &e);
    st_plan(w, "f64", ST_F64, 1, shape, &e);
    shape[0] = 3;
    st_plan(w, "ids", ST_I32, 1, shape, &e);
    st_plan(w, "scalar", ST_F32, 0, NULL, &e);
    st_plan(w, "none.last", ST_F32, 2, none, &e);
    is_int(st_begin(w, &e), 0, "begin");
    for (size_t k = 0; k < ARRAY_LEN(types); k++) {
        int rc = st_write_f32(w, v, 1, &e) | st_write_f32(w, v + 1, 0, &e) |
                 st_write_f32(w, v + 1, N - 1, &e);
        is_int(rc, 0, "write %s", st_dtype_name[types[k]]);
    }
    is_int(st_write_raw(w, ids, sizeof ids, &e), 0, "write ids");
    is_int(st_write_f32(w, v + 5, 1, &e), 0, "write the scalar");
    is_int(st_commit(w, &e), 0, "commit: %s", e.msg);

    struct st *s = st_open(path, &e);
    is_int(s ? st_count(s) : 0, 9, "read back %s", e.msg);
    is_int((uintptr_t)st_at(s, 0)->data % 8, 0, "the data begins at a multiple of 8");
    is_str(st_at(s, 3)->name, "none \"mid\" \xc3\xa9", "in the order of the plan");
    static const char *const names[] = {"f32", "f16", "bf16", "f64"};
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct st_tensor *t = st_find(s, names[k]);
        size_t n_off = 0;
        st_get_f32(t, 0, N, back, &e);
        for (size_t i = 0; i < N; i++) {
            float want = k == 1   ? f16_to_f32(f16_from_f32(v[i]))
                         : k == 2 ? bf16_to_f32(bf16_from_f32(v[i]))
                                  : v[i];
            n_off += back[i] != want;
        }
        is_int(n_off, 0, "%s", names[k]);
    }
    is_mem(st_find(s, "ids")->data, ids, sizeof ids, "ids");
    st_close(s);
    free(v);
    free(back);
}

static void test_write_errors(void)
{
    const char *path = scratch_path("refused.safetensors");
    struct err e = {0};
    uint64_t huge[] = {UINT64_MAX / 2, 3}, some[] = {2};
    struct st_writer *w = st_create(path, &e);
    is_int(st_plan(w, "w", ST_F32, 2, huge, &e), -1, "a shape that overflows");
    is_like(e.msg, "tensor 'w' is too large", "%s", e.msg);
    is_int(st_plan(w, "w", ST_F32, 1, huge, &e), -1, "a size that overflows");
    is_int(st_plan(w, "\xff", ST_F32, 1, some, &e), -1, "a name that is not UTF-8");
    st_plan(w, "w", ST_F32, 1, some, &e);
    st_plan(w, "w", ST_F32, 1, some, &e);
    is_int(st_begin(w, &e), -1, "a name planned twice");
    is_like(e.msg, "tensor 'w' is planned twice", "%s", e.msg);
    st_abort(w);
    w = st_create(path, &e);
    st_plan(w, "w", ST_F32, 1, some, &e);
    st_begin(w, &e);
    st_write_f32(w, (float[]){1}, 1, &e);
    is_int(st_commit(w, &e), -1, "a tensor written in part");
    is_like(e.msg, "tensor 'w' was not written in full", "%s", e.msg);
    ok(access(path, F_OK) < 0, "leaves no file");
    ok(!st_create(scratch_path("no/such/dir"), &e), "no directory to write to");
    /* whatever the length of the header, the data begins at a multiple of 8 */
    for (int i = 0; i < 8; i++) {
        w = st_create(path, &e);
        st_plan(w, &"12345678"[i], ST_F32, 1, some, &e);
        st_begin(w, &e);
        st_write_f32(w, (float[]){1, 2}, 2, &e);
        st_commit(w, &e);
        struct st *s = st_open(path, &e);
        ok(s && (uintptr_t)st_at(s, 0)->data % 8 == 0, "a name of %d bytes", 8 - i);
        st_close(s);
    }
    w = st_create(path, &e);
    ok(st_begin(w, &e) == 0 && st_commit(w, &e) == 0, "a file without tensors");
    struct st *s = st_open(path, &e);
    ok(s && st_count(s) == 0, "is read back");
    st_close(s);
}

int main(void)
{
    test_good();
    test_dtypes();
    test_bad();
    test_damage();
    test_sharded();
    test_golden();
    test_write();
    test_write_errors();
    return done_testing();
}
