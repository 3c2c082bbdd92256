/* The state machines against their published patterns run through pcre2, and the chain of rules. */
#include "base/rng.h"
#include "io/docs.h"
#include "io/in.h"
#include "split_alphabet.h"
#include "tap.h"
#include "base/utf8.h"
#include "text/split.h"
#include "text/unicode.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LAST         "\\s+(?!\\S)|\\s+"
#define O200K(c, n)                                                                                \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" c  \
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" c \
    "|" n "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" LAST
#define CL100K(n)                                                                            \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" n "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[" \
                 "\\r\\n]+|" LAST

#define HAN "[\344\270\200-\351\276\245\343\201\200-\343\202\237\343\202\240-\343\203\277]+"
/* with line breaks as they stand in the file */
#define DEEPSEEK                                                                   \
    "[!\"#$%&'()*+,\\-./"                                                          \
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" \
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|" LAST

/* As published; r is what they must be recognised as. */
static const struct {
    const char *name, *re;
    struct split_rule r;
} patterns[] = {
    {"gpt2",
     "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     {.kind = SPLIT_GPT2}},
    {"r50k of tiktoken",
     "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s",
     {.kind = SPLIT_GPT2}},
    {"cl100k", CL100K("\\p{N}{1,3}"), {.kind = SPLIT_CL100K, .digits = 3}},
    {"qwen2", CL100K("\\p{N}"), {.kind = SPLIT_CL100K, .digits = 1}},
    {"cl100k, pairs of digits", CL100K("\\p{N}{1,2}"), {.kind = SPLIT_CL100K, .digits = 2}},
    {"cl100k, digits at will", CL100K("\\p{N}+"), {.kind = SPLIT_CL100K, .digits = 0}},
    {"cl100k, the older of tiktoken",
     "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n]"
     "*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     {.kind = SPLIT_CL100K, .digits = 3}},
    {"cl100k, the newer of tiktoken, read as Oniguruma does",
     "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n"
     "]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
     {.kind = SPLIT_CL100K, .digits = 0, .tail = true}},
    {"qwen3.5",
     CONTRACTIONS
     "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
     "\\s*[\\r\\n]+|" LAST,
     {.kind = SPLIT_CL100K, .digits = 1, .marks = true}},
    {"o200k", O200K(CONTRACTIONS "?", "\\p{N}{1,3}"), {.kind = SPLIT_O200K, .digits = 3}},
    {"digits by 3", "\\p{N}{1,3}", {.kind = SPLIT_DIGITS, .digits = 3}},
    {"digits by 1", "\\p{N}", {.kind = SPLIT_DIGITS, .digits = 1}},
    {"deepseek's ideographs", HAN, {.kind = SPLIT_HAN}},
    {"deepseek's text", DEEPSEEK, {.kind = SPLIT_DEEPSEEK_TEXT}},
    {"deepseek", "\\p{N}{1,3}\2" HAN "\2" DEEPSEEK, {.kind = SPLIT_DEEPSEEK}},
    {"tekken", O200K("", "\\p{N}"), {.kind = SPLIT_O200K, .digits = 1, .no_contractions = true}},
};

static struct cutter *machine[ARRAY_LEN(patterns)], *reference[ARRAY_LEN(patterns)];
static struct err e;

/* A chain's patterns stand with \2 between them; in a group none is a published one, so that pcre2
 * runs it. */
static struct cutter *cutter_of(const char *re, bool grouped)
{
    struct split *s = split_new(&e);
    char one[1024];
    for (const char *next; s && re; re = next) {
        const char *end = strchr(re, '\2');
        next = end ? end + 1 : NULL;
        int len = end ? (int)(end - re) : (int)strlen(re);
        snprintf(one, sizeof one, grouped ? "(?:%.*s)" : "%.*s", len, re);
        if (split_add_regex(s, one, strlen(one), &e) < 0)
            bail_out(e.msg);
    }
    return cutter_new(s, &e); /* both live as long as the program */
}

/* All ends as offsets from the start of the text; at most `most` are asked for at a time. */
static size_t all_ends(struct cutter *c, const char *s, size_t n, size_t most, size_t **ends)
{
    static uint32_t some[4096];
    size_t total = 0;
    long k;
    *ends = malloc((n + 1) * sizeof **ends);
    cut_begin(c, s, n);
    while ((k = cut_next(c, some, most, &e)) > 0)
        for (long i = 0; i < k && total <= n; i++)
            (*ends)[total++] = cut_from(c) + some[i];
    if (k < 0)
        diag("%s", e.msg);
    return total;
}

static bool same_cuts(size_t p, const char *s, size_t n, size_t most)
{
    size_t *a, *b, k = all_ends(machine[p], s, n, most, &a),
                   m = all_ends(reference[p], s, n, most, &b), i = 0;
    while (i < k && i < m && a[i] == b[i])
        i++;
    bool same = i == k && k == m && (n == 0 || a[k - 1] == n);
    if (!same) {
        size_t from = i ? a[i - 1] : 0;
        diag("%s: at byte %zu the machine cuts at %zu, the pattern at %zu, of: '%.60s'",
             patterns[p].name, from, i < k ? a[i] : 0, i < m ? b[i] : 0, s + from);
    }
    free(a);
    free(b);
    return same;
}

static void random_strings(size_t p)
{
    char s[256 + 64];
    bool same = true;
    struct rng r;
    rng_init(&r, 7, RNG_TEST, p);
    for (int round = 0; round < 20000 && same; round++) {
        size_t n = 0, parts = rng_below(&r, 24);
        for (size_t i = 0; i < parts; i++) {
            const char *a = alphabet[rng_below(&r, ARRAY_LEN(alphabet))];
            memcpy(s + n, a, strlen(a));
            n += strlen(a);
        }
        memset(s + n, 'x', 64);
        same = same_cuts(p, s, n, round % 2 ? 4096 : 1);
    }
    ok(same, "%s: random strings", patterns[p].name);
}

static void sample(const char *what, const char *s, size_t n)
{
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++)
        ok(same_cuts(p, s, n, 4096), "%s: %s", patterns[p].name, what);
}

/* What stands at each border of a category, among letters, digits, spaces, line breaks and signs.
 */
static void borders(void)
{
    static const char *const around[] = {"a", " ", "b", "", "1", "\n", "!", "' ", "\t", "A", "  "};
    struct buf b = BUF_INIT;
    unsigned last = UNI_CATEGORY + 1;
    size_t n = 0;
    for (uint32_t cp = 0x80; cp < 0x110000; cp++) {
        const unsigned now = uni_props(cp) & UNI_CATEGORY;
        const bool han = cp == 0x4e00 || cp == 0x9fa6 || cp == 0x3040 || cp == 0x3100;
        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        for (uint32_t c = cp - 1; (now != last || han) && c <= cp; c++) {
            char s[8];
            int len = utf8_put(s, c == 0xdfff ? 0xd7ff : c);
            n++;
            for (size_t i = 0; i < ARRAY_LEN(around); i++) {
                buf_puts(&b, around[i], &e);
                buf_add(&b, s, (size_t)len, &e);
            }
        }
        last = now;
    }
    buf_reserve(&b, 64, &e);
    ok(n > 5000, "%zu characters at borders", n);
    sample("characters at the borders of categories", b.s, b.len);
    buf_release(&b);
}

static void recognised(void)
{
    struct split_rule r;
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        const struct split_rule *x = &patterns[p].r;
        if (strchr(patterns[p].re, '\2'))
            continue;
        ok(split_recognise(patterns[p].re, strlen(patterns[p].re), &r) && r.kind == x->kind &&
               r.digits == x->digits && r.marks == x->marks && r.tail == x->tail &&
               r.no_contractions == x->no_contractions,
           "%s is recognised", patterns[p].name);
    }
    ok(!split_recognise("\\s+", 3, &r), "another pattern is not");
    const char *names[] = {"gpt2", "cl100k", "o200k"};
    for (size_t i = 0; i < 3; i++)
        ok(split_pattern(names[i]) &&
               split_recognise(split_pattern(names[i]), strlen(split_pattern(names[i])), &r) &&
               (int)r.kind == (int)i,
           "the pattern of %s is its own", names[i]);
    static const struct {
        const char *name;
        struct split_rule r;
    } others[] = {{"r50k_base", {.kind = SPLIT_GPT2}},
                  {"cl100k_base", {.kind = SPLIT_CL100K, .digits = 3, .tail = true}},
                  {"qwen2", {.kind = SPLIT_CL100K, .digits = 1}}};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        const char *re = split_pattern(others[i].name);
        ok(re && split_recognise(re, strlen(re), &r) && r.kind == others[i].r.kind &&
               r.digits == others[i].r.digits && r.tail == others[i].r.tail,
           "and that of %s", others[i].name);
    }
    ok(!split_pattern("cl10k"), "no pattern of an unknown name");
}

/* The pieces, joined by |. */
static const char *cut(struct split *s, const char *text)
{
    static char out[1024];
    char padded[512] = {0};
    struct cutter *c = cutter_new(s, &e);
    uint32_t ends[3];
    size_t n = 0;
    long k;
    memcpy(padded, text, strlen(text));
    cut_begin(c, padded, strlen(text));
    while ((k = cut_next(c, ends, 3, &e)) > 0)
        for (long i = 0; i < k; i++) {
            size_t from = i ? ends[i - 1] : 0;
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", n ? "|" : "",
                                  (int)(ends[i] - from), padded + cut_from(c) + from);
        }
    cutter_free(c);
    out[n] = 0;
    return k < 0 ? e.msg : out;
}

static const char *cut_by(const char *re, const char *text)
{
    struct split *s = split_new(&e);
    const char *r = split_add_regex(s, re, strlen(re), &e) < 0 ? e.msg : cut(s, text);
    split_free(s);
    return r;
}

/* Results of the tokenizers library 0.23 (Split, isolated). */
static void patterns_of_users(void)
{
    is_str(cut_by("x*", "aaxxbb"), "a|a|xx|b|b", "empty matches cut");
    is_str(cut_by("(?=b)", "aabb"), "aa|b|b", "a look-ahead cuts");
    is_str(cut_by("a{1,2}+", "aaaaab"), "aaaaa|b", "a + behind a count repeats it");
    is_str(cut_by("^b", "a\nb"), "a\n|b", "^ is the start of a line");
    is_str(cut_by("a$", "a\na"), "a|\n|a", "$ is the end of a line");
    is_str(cut_by("\\h", "agh"), "a|gh", "\\h is a hexadecimal digit");
    is_str(cut_by("\\s", "a\341\240\216b c"), "a\341\240\216b| |c", "U+180E is no space");
    is_str(cut_by("[^\\S\\n]", "a \nb"), "a| |\nb", "\\S inside of brackets");
    is_str(cut_by("\\p{Lm}", "a\360\236\200\260b"), "a|\360\236\200\260|b",
           "categories are those of Unicode 16 whatever pcre2 has");
    is_str(cut_by("\\w+", "a\302\262-\342\223\220"), "a\302\262|-|\342\223\220",
           "\\w takes superscripts");
    is_str(cut_by("[\\w]+", "a\302\262-\342\223\220"), "a|\302\262-|\342\223\220",
           "but not inside of brackets");
    is_str(cut_by("\\p{Han}+", "a\344\270\255\360\262\216\257b"),
           "a|\344\270\255\360\262\216\257|b", "new ideographs are ideographs");
    is_str(cut_by("\\bin\\b", "in inn in"), "in| inn |in", "borders of words");
    is_str(cut_by("[a-c]{,2}d", "abcd"), "a|bcd", "{,n}");
    is_str(cut_by("\\p{Mc}", "a\360\221\234\236b"), "a|\360\221\234\236|b",
           "U+1171E is Mc since Unicode 16");
    is_str(cut_by("[a-z&&[^b]]", "aba"), "a|b|a", "an intersection");
    is_str(cut_by("[^a-e&&[aeiou]]+", "abcdeix"), "a|bcd|e|ix", "^ is of all of it");
    is_str(cut_by("[a-z&&[^aeiou]&&[^x]]+", "abxcde"), "a|b|x|cd|e", "of three");
    is_str(cut_by("[a[^b]]", "abc"), "a|b|c", "a negated bracket inside of brackets");
    is_str(cut_by("[^a[^b]]+", "abbc"), "a|bb|c", "and that negated");
    is_str(cut_by("[a[:digit:]-]+", "xa1-b"), "x|a1-|b", "digits by their POSIX name");
    is_str(cut_by("[^[:space:]]+", "ab c\342\200\250d"), "ab| |c|\342\200\250|d", "spaces");
    is_str(cut_by("[[:punct:]]+", "a.\340\270\277$ b"), "a|.\340\270\277$| b",
           "punctuation, symbols too");
    is_str(cut_by("\\p{Uppercase_Letter}\\P{letter}", "aB1C"), "a|B1|C", "long names");
    is_str(cut_by("[\\p{Lu}\\p{Lo}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lo}&&[^\\p{Han}]]+|[\\p{Han}]+",
                  "Abc\344\270\255\346\226\207\343\201\213dE"),
           "Abc|\344\270\255\346\226\207|\343\201\213d|E", "letters but ideographs");
    is_like(cut_by("[[:alpha:]]", "abc"), "not supported", "what depends on more is refused");
    is_like(cut_by("[a-[bc]]", "abc"), "not supported", "so is a range up to a bracket");
    is_like(cut_by("(a", "abc"), "parenthesis", "an open group is refused");
    is_like(cut_by("a)", "abc"), "parenthesis", "a closing one alone too");
    is_like(cut_by("[a", "abc"), "bracket", "an open bracket is refused");
    is_like(cut_by("\\", "abc"), "backslash", "a lone backslash is refused");
    is_like(cut_by("\\p{Nonesuch}", "abc"), "regular expression", "an unknown property is refused");
}

static void chains(void)
{
    struct split *s = split_new(&e);
    struct split_rule by_one = {.kind = SPLIT_DIGITS, .digits = 1};
    struct buf d = BUF_INIT;
    ok(split_add_rule(s, &by_one, &e) == 0 && split_add_name(s, "gpt2", &e) == 0, "two rules");
    is_str(cut(s, "in  1984 it"), "in|  |1|9|8|4| it",
           "each rule sees one piece of the one before");
    is_str(cut(s, ""), "", "the empty text has no piece");
    split_describe(s, &d, &e);
    is_str(d.s, "digits, digits by 1 (state machine) + gpt2 (state machine)", "description");
    buf_clear(&d);
    struct split *three = split_new(&e);
    ok(split_add_regex(three, "\\p{N}{1,3}", 10, &e) == 0 &&
           split_add_regex(three, HAN, strlen(HAN), &e) == 0 &&
           split_add_regex(three, DEEPSEEK, strlen(DEEPSEEK), &e) == 0 &&
           split_describe(three, &d, &e) == 0,
       "deepseek's three");
    is_str(d.s, "deepseek (state machine)", "are one");
    split_free(three);
    buf_release(&d);
    ok(split_add_name(s, "gpt3", &e) < 0, "an unknown name is an error: %s", e.msg);
    split_free(s);
}

static void corpus(const char *file)
{
    const char *path = shared_path(file);
    if (!path) {
        skip(ARRAY_LEN(patterns), "no corpus");
        return;
    }
    struct docs_opt o = DOCS_OPT_INIT;
    struct docs *d = docs_open((char *const *)&path, 1, &o, &e);
    struct doc doc;
    bool same[ARRAY_LEN(patterns)];
    memset(same, 1, sizeof same);
    for (size_t bytes = 0; bytes < 1 << 20 && d && docs_next(d, &doc, &e) > 0; bytes += doc.len)
        for (size_t p = 0; p < ARRAY_LEN(patterns); p++)
            same[p] = same[p] && same_cuts(p, doc.text, doc.len < 1 << 20 ? doc.len : 0, 4096);
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++)
        ok(same[p], "%s: %s", patterns[p].name, file);
    docs_close(d, NULL, &e);
}

int main(void)
{
    recognised();
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        machine[p] = cutter_of(patterns[p].re, false);
        reference[p] = cutter_of(patterns[p].re, true);
        random_strings(p);
    }
    size_t n = 1 << 20;
    char *s = calloc(n + 64, 1);
    memset(s, 'a', n);
    sample("a megabyte of a", s, n);
    memset(s, ' ', n);
    sample("a megabyte of spaces", s, n);
    free(s);
    borders();
    const char *path = shared_path("data/tokenizers/vectors/sample.txt");
    struct in *in = path ? in_open(path, 0, &e) : NULL;
    if (in && (s = in_all(in, 1 << 24, &n, &e))) {
        sample("sample.txt", s, n);
        free(s);
    } else {
        skip(ARRAY_LEN(patterns), "no sample.txt");
    }
    in_close(in);
    corpus("data/corpus/zh-oi-wiki.jsonl.gz");
    corpus("data/corpus/code-c-mix.jsonl.gz");
    patterns_of_users();
    chains();
    return done_testing();
}
