/* Options of bpe-train, and what follows from them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/jtree.h"
#include "train.h"

static const char *const split_words[] = {"gpt2", "cl100k", "o200k", NULL};
enum { SPLIT_O200K_WORD = 2 };
static const char *const model_words[] = {"bpe", "wordpiece", "unigram", NULL};
static const char *const wordpiece_special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
static const char *const unigram_special[] = {"<unk>", "<s>", "</s>"};
static const char *const default_special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

/* The keys of tokenizer_config.json. */
static const char *const role_key[N_ROLES] = {"bos_token", "eos_token", "pad_token"};

/* ---- special tokens */

static bool is_none(const char *token)
{
    return !strcmp(token, "none");
}

/* The list of --special or the default one, and behind it what --bos, --eos and --pad name. */
int train_choose_specials(struct train *t, struct err *e)
{
    static const struct {
        const char *const *v;
        size_t n;
    } usual[] = {{default_special, ARRAY_LEN(default_special)},
                 {wordpiece_special, ARRAY_LEN(wordpiece_special)},
                 {unigram_special, ARRAY_LEN(unigram_special)}};
    const char *const *base = usual[t->model].v;
    size_t n = usual[t->model].n;
    if (t->special_list.n > 0) {
        base = t->special_list.v;
        n = t->special_list.n;
    }
    if (t->no_special && t->special_list.n > 0)
        return err_usage(e, "--special and --no-special exclude each other");
    if (t->no_special)
        n = 0;
    const char **v = mem_new(n + N_ROLES, sizeof *v, e);
    if (!v)
        return -1;
    if (n)
        memcpy(v, base, n * sizeof *v);
    t->opt.special = v;
    for (int i = 0; i < N_ROLES; i++) {
        if (!t->role[i] || is_none(t->role[i]))
            continue;
        if (t->no_special)
            return err_usage(e, "%s is to be a special token, but there are none with --no-special",
                             t->role[i]);
        v[n++] = t->role[i]; /* one that is there already counts once */
    }
    t->opt.n_special = n;
    for (size_t i = 0; i < n; i++) {
        if (!*v[i])
            return err_usage(e, "the special token '' is empty");
    }
    return 0;
}

int train_roles_path(const struct train *t, struct buf *path, struct err *e)
{
    const char *slash = strrchr(t->out_path, '/');
    return buf_add(path, t->out_path, slash ? (size_t)(slash + 1 - t->out_path) : 0, e) < 0
               ? -1
               : buf_puts(path, "tokenizer_config.json", e);
}

int train_save_roles(struct train *t, struct err *e)
{
    struct buf path = BUF_INIT;
    json_t *o = NULL;
    int rc = -1;
    if (train_roles_path(t, &path, e) < 0)
        goto end;
    if (access(path.s, F_OK) == 0)
        o = jtree_load(path.s, e);
    else
        o = json_pack("{s:s}", "tokenizer_class", "PreTrainedTokenizerFast");
    if (!o)
        goto end;
    for (int i = 0; i < N_ROLES; i++) {
        if (t->role[i])
            json_object_set_new(o, role_key[i],
                                is_none(t->role[i]) ? json_null() : json_string(t->role[i]));
    }
    rc = jtree_save(o, path.s, e);
end:
    json_decref(o);
    buf_release(&path);
    return rc;
}

bool train_has_roles(const struct train *t)
{
    return t->role[0] || t->role[1] || t->role[2];
}

/* ---- the table */

const char *train_split_name(const struct train *t)
{
    return split_words[t->split_choice];
}

void train_defaults(struct train *t)
{
    *t = (struct train){.docs_opt = DOCS_OPT_INIT,
                        .vocab_size = 32768,
                        .min_frequency = 2,
                        .split_choice = SPLIT_O200K_WORD,
                        .normalizer = BUF_INIT,
                        .character_coverage = 0.9995,
                        .shrinking_factor = 0.75,
                        .seed_size = 1000000,
                        .max_piece_chars = 16,
                        .n_sub_iterations = 2};
    const struct opt opts[] = {
        {.kind = OPT_CHOICE,
         .name = "model",
         .dst = &t->model,
         .arg = "bpe|wordpiece|unigram",
         .choices = model_words,
         .shapes_output = true,
         .help = "what is trained: byte-level BPE, WordPiece or Unigram (default {})"},
        {.kind = OPT_STR,
         .name = "extend",
         .dst = &t->extend_path,
         .arg = "FILE",
         .help = "add merges to this tokenizer instead; its ids stay"},
        {.kind = OPT_INT,
         .letter = 's',
         .name = "vocab-size",
         .dst = &t->vocab_size,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX - 2,
         .shapes_output = true,
         .help = "ids in all: special tokens, 256 bytes or the characters, merges (default {})"},
        {.kind = OPT_CHOICE,
         .name = "split",
         .dst = &t->split_choice,
         .arg = "gpt2|cl100k|o200k",
         .choices = split_words,
         .shapes_output = true,
         .help = "how text is cut into the pieces that no token crosses (default {})"},
        {.kind = OPT_STR,
         .name = "split-regex",
         .dst = &t->regex,
         .arg = "RE",
         .utf8 = true,
         .shapes_output = true,
         .help = "cut by a regular expression instead: its matches are pieces, and what\n"
                 "lies between them"},
        {.kind = OPT_INT,
         .name = "min-frequency",
         .dst = &t->min_frequency,
         .arg = "N",
         .min = 1,
         .max = INT64_MAX,
         .shapes_output = true,
         .help = "a pair must occur N times to become a token (default {})"},
        {.kind = OPT_INT,
         .name = "max-token-length",
         .dst = &t->max_token_length,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX,
         .shapes_output = true,
         .help = "no token of more than N bytes, of WordPiece characters (default: any length)"},
        {.kind = OPT_STR,
         .name = "normalize",
         .dst = &t->normalize,
         .arg = "LIST",
         .shapes_output = true,
         .help = "bpe, unigram: first nfc, nfd, nfkc, nfkd, lowercase or strip-accents"},
        {.kind = OPT_FLAG,
         .name = "split-digits",
         .dst = &t->split_digits,
         .shapes_output = true,
         .help = "bpe, unigram: each digit is a piece by itself"},
        {.kind = OPT_INT,
         .name = "mem",
         .dst = &t->mem_bytes,
         .arg = "SIZE",
         .min = 1 << 20,
         .max = INT64_MAX,
         .shapes_output = true,
         .help = "bpe, wordpiece: use about so much memory; where it is short, the rarest\n"
                 "pieces are forgotten (default: no limit)"},
        {.kind = OPT_INT,
         .name = "limit-alphabet",
         .dst = &t->limit_alphabet,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX,
         .shapes_output = true,
         .help = "wordpiece: the N most frequent characters (default: all)"},
        {.kind = OPT_FLAG,
         .name = "cased",
         .dst = &t->cased,
         .shapes_output = true,
         .help = "wordpiece: keep capitals and accents"},
        {.kind = OPT_FLAG,
         .name = "byte-fallback",
         .dst = &t->byte_fallback,
         .shapes_output = true,
         .help = "unigram: 256 tokens for bytes, so that nothing is unknown"},
        {.kind = OPT_REAL,
         .name = "character-coverage",
         .dst = &t->character_coverage,
         .arg = "X",
         .rmin = 0,
         .rmax = 1,
         .shapes_output = true,
         .help = "unigram: the share of the text that the characters must make up (default {})"},
        {.kind = OPT_INT,
         .name = "seed-sentencepiece-size",
         .dst = &t->seed_size,
         .arg = "N",
         .min = 1,
         .max = 1 << 24,
         .shapes_output = true,
         .help = "unigram: pieces to begin with (default {})"},
        {.kind = OPT_INT,
         .name = "max-sentencepiece-length",
         .dst = &t->max_piece_chars,
         .arg = "N",
         .min = 1,
         .max = 48,
         .shapes_output = true,
         .help = "unigram: no piece of more than N characters (default {})"},
        {.kind = OPT_REAL,
         .name = "shrinking-factor",
         .dst = &t->shrinking_factor,
         .arg = "X",
         .rmin = 0.01,
         .rmax = 0.99,
         .shapes_output = true,
         .help = "unigram: the share of the pieces that each round keeps (default {})"},
        {.kind = OPT_INT,
         .name = "num-sub-iterations",
         .dst = &t->n_sub_iterations,
         .arg = "N",
         .min = 1,
         .max = 100,
         .shapes_output = true,
         .help = "unigram: steps of expectation and maximisation in a round (default {})"},
        {.kind = OPT_LIST,
         .name = "special",
         .dst = &t->special_list,
         .arg = "TOKEN",
         .utf8 = true,
         .shapes_output = true,
         .help = "a special token; may be repeated (default: <|endoftext|>,\n"
                 "<|im_start|> and <|im_end|>)"},
        {.kind = OPT_FLAG,
         .name = "no-special",
         .dst = &t->no_special,
         .shapes_output = true,
         .help = "no special tokens"},
        {.kind = OPT_STR,
         .name = "bos",
         .dst = &t->role[0],
         .arg = "TOKEN",
         .utf8 = true,
         .help = "the special token that begins a text, or none; goes to the\n"
                 "tokenizer_config.json beside the output"},
        {.kind = OPT_STR,
         .name = "eos",
         .dst = &t->role[1],
         .arg = "TOKEN",
         .utf8 = true,
         .help = "likewise the one that ends it"},
        {.kind = OPT_STR,
         .name = "pad",
         .dst = &t->role[2],
         .arg = "TOKEN",
         .utf8 = true,
         .help = "likewise the one that fills up"},
        DOCS_OPTIONS(&t->docs_opt),
        OPT_OUTPUT(&t->out_path),
        OPT_THREADS(&t->n_threads),
        {.kind = OPT_FLAG,
         .name = "progress",
         .dst = &t->progress,
         .help = "show progress also where stderr is no terminal"},
        OPT_QUIET(&t->quiet),
        OPT_VERBOSE(&t->verbose),
        OPT_END,
    };
    _Static_assert(sizeof opts <= sizeof t->opts, "the options have room");
    memcpy(t->opts, opts, sizeof opts);
}

/* Options that the chosen model has nothing to do with are mistakes. */
int train_check(struct train *t, struct err *e)
{
    struct opt *opts = t->opts;
    static const struct {
        const char *name;
        unsigned models; /* bits */
    } known[] = {
        {"split", 1u << MODEL_BPE},
        {"split-regex", 1u << MODEL_BPE},
        {"normalize", 1u << MODEL_BPE | 1u << MODEL_UNIGRAM},
        {"split-digits", 1u << MODEL_BPE | 1u << MODEL_UNIGRAM},
        {"mem", 1u << MODEL_BPE | 1u << MODEL_WORDPIECE},
        {"byte-fallback", 1u << MODEL_UNIGRAM},
        {"character-coverage", 1u << MODEL_UNIGRAM},
        {"seed-sentencepiece-size", 1u << MODEL_UNIGRAM},
        {"max-sentencepiece-length", 1u << MODEL_UNIGRAM},
        {"shrinking-factor", 1u << MODEL_UNIGRAM},
        {"num-sub-iterations", 1u << MODEL_UNIGRAM},
        {"max-token-length", 1u << MODEL_BPE | 1u << MODEL_WORDPIECE},
        {"min-frequency", 1u << MODEL_BPE | 1u << MODEL_WORDPIECE},
        {"cased", 1u << MODEL_WORDPIECE},
        {"limit-alphabet", 1u << MODEL_WORDPIECE},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (opt_find(opts, known[i].name)->given && !(known[i].models & 1u << t->model))
            return err_usage(e, "--%s is not for --model %s", known[i].name, model_words[t->model]);
    static const char *const of_new[] = {"normalize", "split-digits", "split", "split-regex",
                                         "special",   "no-special",   "bos",   "eos",
                                         "pad",       "model"};
    for (size_t i = 0; t->extend_path && i < ARRAY_LEN(of_new); i++)
        if (opt_find(opts, of_new[i])->given)
            return err_usage(e, "--extend keeps what the tokenizer has, so --%s has no meaning",
                             of_new[i]);
    if (t->regex && opt_find(opts, "split")->given)
        return err_usage(e, "--split and --split-regex exclude each other");
    return docs_check_key(opts, &t->docs_opt, e);
}
