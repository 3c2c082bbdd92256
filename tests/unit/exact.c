/* The set of hashes against a sorted array, and normal forms against what they are defined to be.
 */
#include "tap.h"

#include "clean/exact.h"
#include "clean/form.h"

static uint64_t state = 1;

static uint64_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state ^ state >> 29;
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

/* n puts of hashes drawn by draw; counts of distinct ones and of each against a sorted copy. */
static void against_sorted(size_t n, unsigned n_values, struct hash128 (*draw)(size_t i),
                           const char *name)
{
    struct exact x;
    struct hash128 *all = calloc(n + 1, sizeof *all);
    size_t n_distinct = 0, n_bad = 0, n_added = 0;

    exact_init(&x, n_values);
    for (size_t i = 0; i < n; i++) {
        bool added;
        all[i] = draw(i);
        uint64_t *v = exact_put(&x, all[i], &added, NULL);
        if (!v)
            bail_out("no memory");
        n_added += added;
        for (unsigned k = 0; k < n_values; k++) {
            n_bad += added && v[k] != 0;
            v[k] += k + 1;
        }
    }
    qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && !by_hash(&all[i], &all[j]); j++)
            ;
        n_distinct++;
        const uint64_t *v = exact_get(&x, all[i]);
        n_bad += !v;
        for (unsigned k = 0; v && k < n_values; k++)
            n_bad += v[k] != (k + 1) * (j - i);
    }
    is_int(n_added, n_distinct, "%s: as many entries as distinct hashes", name);
    is_int(x.n, n_distinct, "%s: and the set says so", name);
    is_int(n_bad, 0, "%s: each is found with its values", name);
    double per = (double)exact_bytes(&x) / (double)(x.n ? x.n : 1);
    if (n_distinct > 10000)
        ok(per < 41.5, "%s: %.1f bytes an entry", name, per);
    ok(!exact_get(&x, (struct hash128){12345, 678}), "%s: another hash is not found", name);
    exact_release(&x);
    free(all);
}

static struct hash128 draw_any(size_t i)
{
    (void)i;
    uint64_t a = next_random();
    return (struct hash128){a, next_random()};
}

static struct hash128 draw_few(size_t i)
{
    (void)i;
    return (struct hash128){2 + next_random() % 7, next_random() % 5 << 61};
}

/* All homes at one end: the overflow must grow. */
static struct hash128 draw_last(size_t i)
{
    return (struct hash128){next_random() % 3000, UINT64_MAX - i % 2};
}

static struct hash128 draw_one_home(size_t i)
{
    return (struct hash128){i * 7919 % 4001, (uint64_t)1 << 63};
}

static struct hash128 draw_zero(size_t i)
{
    (void)i;
    return (struct hash128){0, 0};
}

/* Many at once are as one by one, those that are not wanted left out. */
static void put_each(size_t n)
{
    struct item {
        struct exact_item x;
        char other[8];
    } *items = calloc(n, sizeof *items);
    struct exact one, many;
    size_t n_bad = 0;
    exact_init(&one, 0);
    exact_init(&many, 0);
    for (size_t i = 0; i < n; i++) {
        items[i].x.hash =
            (struct hash128){next_random() % 3, next_random() % n * 0x9e3779b97f4a7c15u};
        items[i].x.wanted = next_random() % 8 > 0;
    }
    for (size_t at = 0, m; at < n; at += m) {
        m = n - at < 1000 ? n - at : 1000;
        if (exact_put_each(&many, &items[at].x, sizeof *items, m, NULL) < 0)
            bail_out("no memory");
    }
    for (size_t i = 0; i < n; i++) {
        bool added = false;
        if (items[i].x.wanted && !exact_put(&one, items[i].x.hash, &added, NULL))
            bail_out("no memory");
        n_bad += items[i].x.added != added;
    }
    is_int(n_bad, 0, "%zu at once: the same are added", n);
    is_int(many.n, one.n, "and as many");
    exact_release(&one);
    exact_release(&many);
    free(items);
}

static void form_is(enum text_form form, const char *text, const char *want)
{
    struct buf b = BUF_INIT;
    if (buf_puts(&b, "<", NULL) < 0 || form_add(&b, text, strlen(text), form, NULL) < 0)
        bail_out("no memory");
    is_str(b.s + 1, want, "form %s: of %zu bytes", form_words[form], strlen(text));
    buf_release(&b);
}

static void forms(void)
{
    form_is(FORM_NONE, " A  b\n", " A  b\n");
    form_is(FORM_SPACE, "", "");
    form_is(FORM_SPACE, " \t\n", "");
    form_is(FORM_SPACE, "  A \r\n\tb\v\fc ", "A b c");
    form_is(FORM_SPACE,
            "a\u00a0\u3000b\u2028c\xc2\x85"
            "d\u200be",
            "a b c d\u200be");
    form_is(FORM_TEXT, "Hello, World!", "helloworld");
    form_is(FORM_TEXT, "don't  STOP -- 3.14 (a+b)=c_d", "dontstop314a+b=cd");
    form_is(FORM_TEXT, "STRASSE stra\u00dfe", "strassestrasse");
    form_is(FORM_TEXT, "\u03a3\u03c2\u03c3", "\u03c3\u03c3\u03c3");
    form_is(FORM_TEXT, "\u0390", "\u03b9\u0308\u0301");
    form_is(FORM_TEXT, "\u201c\u78e8\u574a\uff0c\u300a\u6c34\u8f6e\u300b\u3002\u201d",
            "\u78e8\u574a\u6c34\u8f6e");
    form_is(FORM_TEXT, "\ufeffa\u200bb\u00adc\u3000d", "abcd");
    form_is(FORM_TEXT, "\u00c9t\u00e9 \u20ac5 \U0001f600", "\u00e9t\u00e9\u20ac5\U0001f600");
    form_is(FORM_TEXT, "!!!  ?", "!!! ?");
    form_is(FORM_TEXT, "", "");
}

/* Longer than a step, characters across its border. */
static void long_forms(void)
{
    struct buf text = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
    for (int i = 0; i < 5000; i++) {
        buf_puts(&text, "\u0390 , \u3000A", NULL);
        buf_puts(&want, "\u03b9\u0308\u0301a", NULL);
    }
    ok(form_add(&got, text.s, text.len, FORM_TEXT, NULL) == 0, "a long text");
    is_int(got.len, want.len, "has a form of the right length");
    is_mem(got.s, want.s, got.len < want.len ? got.len : want.len, "and of the right bytes");

    struct hash128 a, b;
    struct buf scratch = BUF_INIT;
    form_hash("A b", 3, FORM_TEXT, &scratch, &a, NULL);
    form_hash("a, B", 4, FORM_TEXT, &scratch, &b, NULL);
    ok(a.lo == b.lo && a.hi == b.hi, "equal forms, equal hashes");
    form_hash("a, B", 4, FORM_SPACE, &scratch, &b, NULL);
    ok(a.lo != b.lo && a.hi != b.hi, "other forms, other hashes");
    buf_release(&text);
    buf_release(&got);
    buf_release(&want);
    buf_release(&scratch);
}

int main(void)
{
    against_sorted(0, 1, draw_any, "none");
    against_sorted(1, 0, draw_any, "one");
    against_sorted(100000, 0, draw_any, "many");
    against_sorted(100000, 1, draw_any, "many with a value");
    against_sorted(300000, 2, draw_any, "many with two");
    against_sorted(1000, 1, draw_few, "few");
    against_sorted(5000, 1, draw_last, "at the end");
    against_sorted(5000, 1, draw_one_home, "one home");
    against_sorted(3, 1, draw_zero, "zero");
    put_each(1);
    put_each(50);
    put_each(123456);
    forms();
    long_forms();
    return done_testing();
}
