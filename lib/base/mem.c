/* Checked allocation, growing arrays and arenas. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/sys.h"

int size_mul(size_t a, size_t b, size_t *out, const char *what, struct err *e)
{
    if (CKD_MUL(out, a, b))
        return err_set(e, "%s: %zu times %zu is more than memory can hold", what, a, b);
    return 0;
}

int size_add(size_t a, size_t b, size_t *out, const char *what, struct err *e)
{
    if (CKD_ADD(out, a, b))
        return err_set(e, "%s: %zu and %zu are more than memory can hold", what, a, b);
    return 0;
}

void *mem_new(size_t n, size_t size, struct err *e)
{
    size_t n_bytes;
    if (size_mul(n, size, &n_bytes, "allocation", e) < 0)
        return NULL;
    void *p = calloc(n_bytes ? n_bytes : 1, 1);
    if (!p)
        err_nomem(e, "data", n_bytes);
    return p;
}

char *mem_dup(const void *p, size_t n, struct err *e)
{
    size_t n_bytes;
    if (size_add(n, 1, &n_bytes, "copy", e) < 0)
        return NULL;
    char *s = malloc(n_bytes);
    if (!s) {
        err_nomem(e, "a copy", n_bytes);
        return NULL;
    }
    if (n)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

char *mem_strdup(const char *s, struct err *e)
{
    return mem_dup(s, strlen(s), e);
}

/* Larger blocks are realloc's, which moves their pages; several huge ones, each copied into the
 * next, cost more memory and time than their faults. */
enum { HUGE_PAGE = 2 << 20, HUGE_FROM = 512 << 10 };

void *mem_resize(void *p, size_t kept, size_t *n_bytes)
{
    void *huge = NULL;
    if (*n_bytes >= HUGE_FROM && *n_bytes <= HUGE_PAGE)
        huge = aligned_alloc(HUGE_PAGE, HUGE_PAGE);
    if (!huge)
        return realloc(p, *n_bytes);
    *n_bytes = HUGE_PAGE;
    sys_pages_huge(huge, HUGE_PAGE);
    if (kept)
        memcpy(huge, p, kept);
    free(p);
    return huge;
}

int mem_grow(void *p_ptr, size_t *cap, size_t need, size_t size, struct err *e)
{
    if (need <= *cap)
        return 0;
    size_t want = *cap + *cap / 2, n_bytes;
    if (want < need || want < *cap)
        want = need;
    if (want < 8)
        want = 8;
    if (CKD_MUL(&n_bytes, want, size)) { /* growing by half may not fit where `need` does */
        want = need;
        if (size_mul(want, size, &n_bytes, "array", e) < 0)
            return -1;
    }
    void *old;
    memcpy(&old, p_ptr, sizeof old); /* *p_ptr may be any kind of object pointer */
    void *p = mem_resize(old, *cap * size, &n_bytes);
    if (!p)
        return err_nomem(e, "an array", n_bytes);
    memcpy(p_ptr, &p, sizeof p);
    *cap = n_bytes / size;
    return 0;
}

enum {
    ARENA_ALIGN = 64,
    ARENA_BLOCK = 64 * 1024,
    ARENA_PAGES = 2 * 1024 * 1024, /* blocks from this size on come as (huge) pages */
};

struct arena_block {
    struct arena_block *next;
    size_t size;  /* of the whole block, this header included */
    size_t used;  /* likewise */
    size_t dirty; /* bytes from here on were never given out and are zero */
};

static size_t align_up(size_t n)
{
    return (n + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1);
}

void arena_init(struct arena *a, size_t block_bytes)
{
    *a = (struct arena){.block_bytes = block_bytes ? block_bytes : ARENA_BLOCK};
}

static struct arena_block *block_new(size_t size, struct err *e)
{
    struct arena_block *b = NULL;
    size_t dirty;
    if (size >= ARENA_PAGES) {
        b = sys_pages(size, e);
        if (!b)
            return NULL;
        dirty = align_up(sizeof *b);
    } else {
        void *p;
        if (posix_memalign(&p, ARENA_ALIGN, size) != 0) {
            err_nomem(e, "an arena", size);
            return NULL;
        }
        b = p;
        dirty = size;
    }
    *b = (struct arena_block){.size = size, .used = align_up(sizeof *b), .dirty = dirty};
    return b;
}

static void block_free(struct arena_block *b)
{
    if (b->size >= ARENA_PAGES)
        sys_pages_free(b, b->size);
    else
        free(b);
}

/* The block that has n more bytes: the present one, one kept by arena_reset, or a new one. */
static struct arena_block *block_for(struct arena *a, size_t n, struct err *e)
{
    struct arena_block *b = a->now;
    if (b && b->size - b->used >= n)
        return b;
    for (struct arena_block *k = b ? b->next : a->first; k; b = k, k = k->next) {
        k->used = align_up(sizeof *k);
        if (k->size - k->used >= n) {
            a->now = k;
            return k;
        }
    }
    size_t size;
    if (size_add(n, align_up(sizeof *b), &size, "arena", e) < 0)
        return NULL;
    struct arena_block *fresh = block_new(size > a->block_bytes ? size : a->block_bytes, e);
    if (!fresh)
        return NULL;
    if (b)
        b->next = fresh;
    else
        a->first = fresh;
    a->now = fresh;
    return fresh;
}

static void *take(struct arena *a, size_t n, struct err *e)
{
    if (n > SIZE_MAX - 2 * ARENA_ALIGN) {
        err_nomem(e, "an arena", n);
        return NULL;
    }
    size_t room = align_up(n ? n : 1);
    struct arena_block *b = block_for(a, room, e);
    if (!b)
        return NULL;
    void *p = (char *)b + b->used;
    b->used += room;
    a->used_bytes += room;
    return p;
}

void *arena_new(struct arena *a, size_t n, size_t size, struct err *e)
{
    size_t n_bytes;
    if (size_mul(n, size, &n_bytes, "arena", e) < 0)
        return NULL;
    char *p = take(a, n_bytes, e);
    if (!p)
        return NULL;
    struct arena_block *b = a->now;
    size_t from = (size_t)(p - (char *)b);
    if (from < b->dirty)
        memset(p, 0, (b->used < b->dirty ? b->used : b->dirty) - from);
    if (b->dirty < b->used)
        b->dirty = b->used;
    return p;
}

char *arena_dup(struct arena *a, const void *p, size_t n, struct err *e)
{
    size_t n_bytes;
    if (size_add(n, 1, &n_bytes, "arena", e) < 0)
        return NULL;
    char *s = take(a, n_bytes, e);
    if (!s)
        return NULL;
    if (n)
        memcpy(s, p, n);
    s[n] = '\0';
    if (a->now->dirty < a->now->used)
        a->now->dirty = a->now->used;
    return s;
}

void arena_reset(struct arena *a)
{
    a->now = NULL;
    a->used_bytes = 0;
}

void arena_release(struct arena *a)
{
    for (struct arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        block_free(b);
    }
    arena_init(a, a->block_bytes);
}
