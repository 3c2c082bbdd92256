/* Memory, arenas and buffers. */
#include "tap.h"

#include "base/buf.h"
#include "base/mem.h"

static bool all_zero(const void *p, size_t n)
{
    const unsigned char *s = p;
    for (size_t i = 0; i < n; i++)
        if (s[i])
            return false;
    return true;
}

static void test_sizes(void)
{
    struct err e = {0};
    size_t v = 0;
    ok(size_mul(3, 5, &v, "x", &e) == 0 && v == 15, "3 x 5");
    ok(size_mul(SIZE_MAX, 2, &v, "table", &e) < 0 && strstr(e.msg, "table"),
       "a product that does not fit names what it was for");
    ok(size_add(3, 5, &v, "x", &e) == 0 && v == 8, "3 + 5");
    ok(size_add(SIZE_MAX, 1, &v, "x", &e) < 0, "a sum that does not fit");
    void *p = mem_new(0, 8, &e);
    ok(p != NULL, "nothing is not NULL");
    free(p);
    p = mem_new(1000, 3, &e);
    ok(p && all_zero(p, 3000), "memory is cleared");
    free(p);
    ok(mem_new(SIZE_MAX / 2, 3, &e) == NULL && e.kind != ERR_NONE, "too large a product");
    err_clear(&e);
    ok(mem_new(PTRDIFF_MAX / 2, 1, &e) == NULL && e.kind == ERR_SYS, "more than there is");
    ok(mem_dup("x", SIZE_MAX, &e) == NULL, "a copy of everything");
    char *s = mem_dup("a\0b", 3, &e);
    ok(s && memcmp(s, "a\0b", 4) == 0, "a copy ends in NUL");
    free(s);
    s = mem_strdup("abc", &e);
    is_str(s, "abc", "a copy of a string");
    free(s);
    s = mem_dup(NULL, 0, &e);
    is_str(s, "", "a copy of nothing");
    free(s);
}

static void test_grow(void)
{
    struct err e = {0};
    uint64_t *v = NULL;
    size_t cap = 0, n_moves = 0, was = 0;
    bool right = true;
    for (size_t i = 0; i < 100000; i++) {
        right = right && mem_grow(&v, &cap, i + 1, sizeof *v, &e) == 0 && cap > i;
        v[i] = i * i;
        n_moves += cap != was;
        was = cap;
    }
    for (size_t i = 0; i < 100000; i++)
        right = right && v[i] == i * i;
    ok(right, "an array grows and keeps what it holds");
    ok(n_moves < 40, "by half each time: %zu times", n_moves);
    ok(mem_grow(&v, &cap, SIZE_MAX / 4, sizeof *v, &e) < 0 && v[99999] == 99999ull * 99999,
       "what cannot be had is an error and changes nothing");
    free(v);
}

/* Through the sizes that are huge pages and out of them: what is kept stays, and all can be
 * written. */
static void test_resize(void)
{
    static const size_t sizes[] = {1,         100000,  (512 << 10) - 1, 512 << 10,
                                   700000,    2 << 20, (2 << 20) + 1,   5000000,
                                   600 << 10, 100,     1 << 20};
    const size_t huge = 2 << 20;
    unsigned char *p = NULL;
    size_t kept = 0;
    bool right = true, whole = true;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i];
        if (kept > n)
            kept = n;
        unsigned char *q = mem_resize(p, kept, &n);
        if (!q)
            break;
        p = q;
        whole = whole && n == (sizes[i] >= 512 << 10 && sizes[i] <= huge ? huge : sizes[i]);
        for (size_t k = 0; k < kept; k++)
            right = right && p[k] == (unsigned char)(k * 31 % 251);
        for (size_t k = 0; k < n; k++)
            p[k] = (unsigned char)(k * 31 % 251);
        kept = n;
    }
    free(p);
    ok(right, "blocks of all sizes keep what they are to keep");
    ok(whole, "and get larger only where they are a huge page");
    size_t most = PTRDIFF_MAX;
    ok(!mem_resize(NULL, 0, &most), "what cannot be had is NULL");
}

/* The same sizes twice, the second time in memory that was written to. */
static bool fill(struct arena *a, size_t largest)
{
    struct err e = {0};
    bool right = true;
    for (size_t i = 0; i < 400; i++) {
        size_t n = i * 7919 % (largest + 1);
        unsigned char *p = arena_new(a, n, 1, &e);
        right = right && p && (uintptr_t)p % 64 == 0 && all_zero(p, n);
        if (p)
            memset(p, 0xa5, n);
        char *s = arena_dup(a, "word", 3, &e);
        right = right && s && strcmp(s, "wor") == 0;
    }
    return right;
}

static void test_arena(void)
{
    static const size_t blocks[] = {0, 1, 4096, (size_t)2 << 20, (size_t)5 << 20};
    struct err e = {0};
    for (size_t k = 0; k < ARRAY_LEN(blocks); k++) {
        struct arena a;
        arena_init(&a, blocks[k]);
        ok(fill(&a, 20000), "blocks of %zu: aligned, cleared", blocks[k]);
        size_t used = a.used_bytes;
        struct arena_block *first = a.first;
        arena_reset(&a);
        is_int(a.used_bytes, 0, "reset");
        void *again[2];
        for (int i = 0; i < 2; i++) {
            again[i] = arena_new(&a, 1000, 1, &e);
            arena_reset(&a);
        }
        ok(again[0] == again[1], "the same place is given out again");
        ok(fill(&a, 20000) && a.used_bytes == used && a.first == first,
           "again, in the same blocks: cleared");
        arena_reset(&a);
        ok(fill(&a, 3000000 / 400), "smaller ones after larger ones");
        void *p = arena_new(&a, 3, 1 << 20, &e);
        ok(p && all_zero(p, 3 << 20), "one larger than a block");
        arena_reset(&a);
        ok(fill(&a, 20000), "and again");
        ok(!arena_new(&a, SIZE_MAX / 2, 3, &e) && !arena_new(&a, SIZE_MAX - 10, 1, &e) &&
               !arena_new(&a, SIZE_MAX - 200, 1, &e) && !arena_dup(&a, "x", SIZE_MAX, &e) &&
               !arena_new(&a, PTRDIFF_MAX / 2, 1, &e),
           "sizes that cannot be");
        arena_release(&a);
        ok(a.first == NULL && a.used_bytes == 0, "released");
        arena_release(&a);
    }
}

static void test_buf(void)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    is_str(b.s, "", "an empty buffer is a string");
    buf_clear(&b);
    ok(buf_add(&b, NULL, 0, &e) == 0 && b.cap == 0, "adding nothing takes nothing");
    char *s = buf_take(&b, &e);
    is_str(s, "", "an empty one can be taken");
    free(s);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, &e, "%d,", i);
    ok(b.len == 3890 && strlen(b.s) == b.len && strncmp(b.s, "0,1,2,", 6) == 0,
       "printing grows it");
    buf_clear(&b);
    buf_printf(&b, &e, "%5000d|", 7);
    ok(b.len == 5001 && b.s[4999] == '7' && b.s[5000] == '|', "a long piece at once");
    buf_clear(&b);
    for (int i = 0; i < 300; i++)
        buf_putc(&b, i, &e);
    ok(b.len == 300 && b.s[255] == (char)255 && b.s[300] == '\0', "bytes one by one, NUL too");
    s = buf_take(&b, &e);
    ok(b.len == 0 && b.cap == 0 && b.s == buf_empty, "after taking it is empty");
    free(s);
    ok(buf_reserve(&b, SIZE_MAX, &e) < 0 && buf_reserve(&b, PTRDIFF_MAX, &e) < 0, "too much");
    ok(buf_reserve(&b, 100, &e) == 0 && b.s[0] == '\0' && b.cap > 100, "reserve");
    buf_puts(&b, "x", &e);
    ok(buf_add(&b, "y", PTRDIFF_MAX, &e) < 0 && strcmp(b.s, "x") == 0, "a failure changes nothing");
    buf_release(&b);
    buf_release(&b);
}

static void test_json(void)
{
    struct err e = {0};
    struct buf b = BUF_INIT;
    char in[33], want[400] = "\"";
    for (int i = 0; i < 32; i++) {
        static const char *const name[32] = {
            [8] = "\\b", [9] = "\\t", [10] = "\\n", [12] = "\\f", [13] = "\\r"};
        char esc[8];
        in[i] = (char)i;
        snprintf(esc, sizeof esc, "\\u%04x", (unsigned)i);
        strncat(want, name[i] ? name[i] : esc, 8);
    }
    in[32] = 'z';
    strncat(want, "z\"", 3);
    buf_json_string(&b, in, 33, &e);
    is_str(b.s, want, "every control character is escaped");
    buf_clear(&b);
    buf_puts(&b, "x:", &e);
    buf_json_string(&b, "a\"b\\c/\x7f\xc3\xa9\xf0\x9f\x8c\xbe", 13, &e);
    is_str(b.s, "x:\"a\\\"b\\\\c/\x7f\xc3\xa9\xf0\x9f\x8c\xbe\"",
           "quotes and backslashes; the rest stays");
    buf_clear(&b);
    buf_json_string(&b, "", 0, &e);
    is_str(b.s, "\"\"", "an empty one");
    buf_release(&b);
}

int main(void)
{
    test_sizes();
    test_grow();
    test_resize();
    test_arena();
    test_buf();
    test_json();
    return done_testing();
}
