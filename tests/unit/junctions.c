/* Where BPE can never merge: no place that a token spans is cut, and others are; nothing behind a
 * token is read. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/sys.h"
#include "tap.h"
#include "token/junctions.h"

enum { CHARS = 40, TOKENS = 300, LONGEST = 12 };

struct token {
    char s[LONGEST];
    size_t n;
};

/* Of few: 3 bytes. */
static void character(struct rng *r, char *s)
{
    const unsigned k = (unsigned)rng_below(r, CHARS);
    s[0] = (char)(0xe4 + k % 2);
    s[1] = (char)(0x80 + k / 2 % 4);
    s[2] = (char)(0x80 + k / 8);
}

/* Two to four characters; of those at the ends there may be a part only. */
static struct token random_token(struct rng *r)
{
    char s[LONGEST];
    const size_t n = 3 * (2 + rng_below(r, 3)), from = rng_below(r, 6) ? 0 : 1 + rng_below(r, 2);
    const size_t to = n - (rng_below(r, 6) ? 0 : 1 + rng_below(r, 2));
    for (size_t i = 0; i < n; i += 3)
        character(r, s + i);
    struct token t = {.n = to - from};
    memcpy(t.s, s + from, t.n);
    return t;
}

/* A token in a text: how many of the places within it are cut. */
static size_t cut_within(const struct junctions *j, struct rng *r, const struct token *t)
{
    unsigned char text[128];
    for (size_t i = 0; i + 3 <= sizeof text; i += 3)
        character(r, (char *)text + i);
    /* a character of the text before it and behind it becomes what the token says of it */
    const size_t lead = (unsigned char)t->s[0] >= 0xe0 ? 0 : (unsigned char)t->s[1] >= 0xe0 ? 1 : 2;
    const size_t at = 12 + (3 - lead) % 3;
    memcpy(text + at, t->s, t->n);
    uint64_t places = 0;
    for (size_t i = 0; i <= 57; i += 3)
        if (i + 3 > at && i + 3 < at + t->n)
            places |= UINT64_C(1) << i;
    return (size_t)POPCOUNT64(j->between(j, text, places)) +
           (size_t)POPCOUNT64(junctions_between(j, text, places));
}

/* With the page behind it closed. */
static void add_at_end(struct junctions *j, char *end, const struct token *t)
{
    memcpy(end - t->n, t->s, t->n);
    junctions_add(j, end - t->n, t->n);
}

static size_t cuts_of_random(const struct junctions *j, struct rng *r, size_t *n_places)
{
    unsigned char text[128];
    uint64_t places = 0;
    for (size_t i = 0; i + 3 <= sizeof text; i += 3) {
        character(r, (char *)text + i);
        text[i] = 0xe6; /* no token has it */
        places |= i <= 60 ? UINT64_C(1) << i : 0;
    }
    *n_places += (size_t)POPCOUNT64(places);
    return (size_t)POPCOUNT64(j->between(j, text, places));
}

int main(void)
{
    static struct token token[TOKENS];
    struct rng r;
    struct err e;
    size_t n_cut = 0, n_other = 0, n_places = 0;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = sys_pages(2 * page, &e);
    struct junctions *j = junctions_new(&e);
    if (!ok(j && two && mprotect(two + page, page, PROT_NONE) == 0, "set up"))
        return done_testing();
    rng_init(&r, 1, RNG_TEST, 0);
    for (size_t i = 0; i < TOKENS; i++) {
        token[i] = random_token(&r);
        add_at_end(j, two + page, &token[i]);
    }
    ok(true, "tokens at the end of what can be read");
    for (size_t i = 0; i < 20 * TOKENS; i++)
        n_cut += cut_within(j, &r, &token[i % TOKENS]);
    is_int(n_cut, 0, "no place that a token spans is cut");
    for (size_t i = 0; i < TOKENS; i++)
        n_other += cuts_of_random(j, &r, &n_places);
    ok(n_other > n_places * 3 / 4, "%zu of %zu others are", n_other, n_places);
    junctions_free(j);
    sys_pages_free(two, 2 * page);
    return done_testing();
}
