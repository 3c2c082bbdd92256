/* bpe-train: trains a tokenizer: byte-level BPE, WordPiece or Unigram. See bpe-train(1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "io/docflow.h"
#include "io/jtree.h"
#include "io/out.h"
#include "quern/tokenizer.h"
#include "text/split.h"
#include "token/bpe_extend.h"
#include "token/bpe_train.h"
#include "token/train_text.h"
#include "token/vocab_train.h"

static const char *const split_words[] = {"gpt2", "cl100k", "o200k", NULL};
enum { SPLIT_GPT2_WORD, SPLIT_O200K_WORD = 2 };
static const char *const model_words[] = {"bpe", "wordpiece", "unigram", NULL};
enum model { MODEL_BPE, MODEL_WORDPIECE, MODEL_UNIGRAM };
static const char *const wordpiece_special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
static const char *const unigram_special[] = {"<unk>", "<s>", "</s>"};
static const char *const default_special[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

/* BOS, EOS and PAD: the options' names, and the keys of tokenizer_config.json. */
enum { N_ROLES = 3 };
static const char *const role_key[N_ROLES] = {"bos_token", "eos_token", "pad_token"};

struct train {
    struct prog *prog;
    struct docs_opt docs_opt;
    int64_t vocab_size, min_frequency, n_threads;
    int split_choice, model;
    bool cased, byte_fallback, split_digits;
    double character_coverage, shrinking_factor;
    int64_t limit_alphabet, max_token_length, seed_size, max_piece_chars, n_sub_iterations;
    const char *extend_path, *normalize, *regex, *out_path, *role[N_ROLES];
    struct opt_list special_list;
    bool no_special, quiet, progress;
    int verbose;

    struct bpe_train_opt opt;
    struct split *split;
    struct cutter **cutter; /* one per thread */
    struct tokenizer *old;  /* of --extend */
    struct bpe_extend *extend;
    struct buf normalizer; /* JSON of --normalize */
    int64_t mem_bytes;
    uint64_t drop_below, n_dropped; /* of --mem */
    struct train_text *text;        /* of the other models, one run per thread */
    struct train_text_run **text_run;
    struct bpe_counts *counts;
    struct docs *docs;
    struct docs_counts docs_counts;
    struct bpe_vocab *vocab;
    struct out *out;
    struct progress bar;
};

/* ---- special tokens */

static bool is_none(const char *token)
{
    return !strcmp(token, "none");
}

/* The list of --special or the default one, and behind it what --bos, --eos and --pad name. */
static int choose_specials(struct train *t, struct err *e)
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
        if (!*v[i] || utf8_valid(v[i], strlen(v[i])) != strlen(v[i]))
            return err_usage(e, "the special token '%s' is not a text in UTF-8", v[i]);
    }
    return 0;
}

/* Sets the tokens that were given in the tokenizer_config.json beside the output; what else is in
 * the file stays. */
static int save_roles(struct train *t, struct err *e)
{
    struct buf path = BUF_INIT;
    const char *slash = strrchr(t->out_path, '/');
    json_t *o = NULL;
    int rc = -1;
    if (buf_add(&path, t->out_path, slash ? (size_t)(slash + 1 - t->out_path) : 0, e) < 0 ||
        buf_puts(&path, "tokenizer_config.json", e) < 0)
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

/* ---- counting */

/* Keeps the counts in a quarter of --mem and, once all is read, the merging in the whole of it: the
 * rarest pieces go. */
static int make_room(struct train *t, bool all, struct err *e)
{
    for (;;) {
        uint64_t n_pieces, n_bytes;
        bpe_counts_stat(t->counts, &n_pieces, &n_bytes);
        bool fits = all ? bpe_counts_need(t->counts, t->opt.vocab_size) <= (uint64_t)t->mem_bytes
                        : n_bytes <= (uint64_t)t->mem_bytes / 4;
        if (fits)
            return 0;
        if (t->drop_below > (uint64_t)1 << 40)
            return err_set(e, "--mem: the vocabulary alone needs more; give more, or a smaller -s");
        t->drop_below = t->drop_below ? t->drop_below + (t->drop_below + 3) / 4 : 2;
        if (bpe_counts_drop(t->counts, t->drop_below, &t->n_dropped, e) < 0)
            return -1;
    }
}

static int count_doc(void *user, const struct doc *doc, int thread, void *result, struct err *e)
{
    struct train *t = user;
    (void)result;
    int rc;
    if (t->model == MODEL_BPE && t->text) {
        size_t n;
        const char *s = train_text_form(t->text_run[thread], doc->text, doc->len, &n, e);
        rc = s ? bpe_count_text(t->counts, thread, t->cutter[thread], s, n, e) : -1;
    } else if (t->extend)
        rc = bpe_extend_count(t->extend, thread, t->counts, doc->text, doc->len, e);
    else if (t->text)
        rc = train_text_count(t->text_run[thread], t->counts, thread, doc->text, doc->len, e);
    else
        rc = bpe_count_text(t->counts, thread, t->cutter[thread], doc->text, doc->len, e);
    if (rc == 0)
        return t->mem_bytes ? make_room(t, false, e) : 0;
    return doc->line ? err_prefix(e, "%s:%" PRIu64 ": ", doc->file, doc->line)
                     : err_prefix(e, "%s: ", doc->file);
}

static int show_reading(void *user, struct err *e)
{
    struct train *t = user;
    double done;
    (void)e;
    docs_progress(t->docs, &done, &t->bar.total);
    progress_at(&t->bar, done, "");
    return 0;
}

static int read_all(struct train *t, struct err *e)
{
    struct docflow flow = {.work = count_doc, .done = show_reading};
    t->docs = docs_open(t->prog->operands, t->prog->n_operands, &t->docs_opt, e);
    if (!t->docs)
        return -1;
    progress_start(&t->bar, "bpe-train: counting", "B", 0, t->progress, t->quiet);
    int rc = docflow_run(&flow, t, t->docs, &t->docs_opt, t->mem_bytes ? 1 : (int)t->n_threads, e);
    progress_finish(&t->bar);
    if (rc < 0 || (t->mem_bytes && make_room(t, true, e) < 0))
        return -1;
    if (t->n_dropped)
        prog_warn(t->prog,
                  "--mem: the counts are not exact: pieces that had been seen less than %" PRIu64
                  " times were forgotten, %" PRIu64 " places in all",
                  t->drop_below, t->n_dropped);
    struct docs *docs = t->docs;
    t->docs = NULL;
    return docs_close(docs, &t->docs_counts, e);
}

static int prepare_split(struct train *t, struct err *e)
{
    t->split = split_new(e);
    if (!t->split)
        return -1;
    if (t->regex) {
        if (t->split_digits &&
            split_add_rule(t->split, &(struct split_rule){.kind = SPLIT_DIGITS, .digits = 1}, e) <
                0)
            return -1;
        if (split_add_regex(t->split, t->regex, strlen(t->regex), e) < 0) {
            e->kind = e->kind == ERR_FAIL ? ERR_USAGE : e->kind;
            return err_prefix(e, "--split-regex: ");
        }
    } else if ((t->split_digits &&
                split_add_rule(t->split, &(struct split_rule){.kind = SPLIT_DIGITS, .digits = 1},
                               e) < 0) ||
               split_add_name(t->split, split_words[t->split_choice], e) < 0) {
        return -1;
    }
    t->cutter = mem_new((size_t)t->n_threads, sizeof(struct cutter *), e);
    for (int64_t i = 0; t->cutter && i < t->n_threads; i++) {
        t->cutter[i] = cutter_new(t->split, e);
        if (!t->cutter[i])
            return -1;
    }
    return t->cutter ? 0 : -1;
}

/* ---- WordPiece and Unigram */

static int prepare_text(struct train *t, struct err *e)
{
    struct buf normalizer = BUF_INIT;
    if (t->model == MODEL_WORDPIECE)
        t->text = train_text_new(wordpiece_normalizer(!t->cased), wordpiece_pre_tokenizer, e);
    else if (t->model == MODEL_BPE)
        t->text = train_text_new(t->normalizer.s, NULL, e);
    else if (unigram_normalizer(t->normalize ? t->normalizer.s : NULL, &normalizer, e) == 0)
        t->text = train_text_new(normalizer.s, unigram_pre_tokenizer, e);
    buf_release(&normalizer);
    t->text_run = mem_new((size_t)t->n_threads, sizeof(struct train_text_run *), e);
    if (!t->text || !t->text_run)
        return -1;
    for (int64_t i = 0; i < t->n_threads; i++)
        if (!(t->text_run[i] = train_text_run_new(t->text, e)))
            return -1;
    return 0;
}

static int prepare_extend(struct train *t, struct err *e)
{
    t->old = tokenizer_open(t->extend_path, e);
    if (!t->old)
        return -1;
    t->extend = bpe_extend_new(t->old, (int)t->n_threads, e);
    return t->extend ? 0 : err_prefix(e, "%s: ", t->extend_path);
}

static int show_training(void *user, double done, struct err *e)
{
    struct train *t = user;
    (void)e;
    progress_at(&t->bar, done * t->bar.total, "");
    return 0;
}

static void tell_skipped(const struct train *t)
{
    if (t->docs_counts.n_skipped || t->docs_counts.n_replaced)
        prog_note(t->prog,
                  "%" PRIu64 " bad records skipped, %" PRIu64 " repaired (invalid UTF-8 replaced)",
                  t->docs_counts.n_skipped, t->docs_counts.n_replaced);
}

/* Both models other than BPE: what is counted goes in, a document comes out. */
static int train_other(struct train *t, struct err *e)
{
    const struct vocab_train_opt opt = {
        .vocab_size = (uint32_t)t->vocab_size,
        .special = t->opt.special,
        .n_special = t->opt.n_special,
        .n_threads = (int)t->n_threads,
        .progress = show_training,
        .user = t,
        .min_frequency = (uint64_t)t->min_frequency,
        .limit_alphabet = (uint32_t)t->limit_alphabet,
        .max_token_chars = (uint32_t)t->max_token_length,
        .lowercase = !t->cased,
        .normalizer = t->normalize ? t->normalizer.s : NULL,
        .split_digits = t->split_digits,
        .byte_fallback = t->byte_fallback,
        .character_coverage = t->character_coverage,
        .seed_size = (uint32_t)t->seed_size,
        .max_piece_chars = (uint32_t)t->max_piece_chars,
        .shrinking_factor = t->shrinking_factor,
        .n_sub_iterations = (int)t->n_sub_iterations,
    };
    struct vocab_stat stat;
    struct buf json = BUF_INIT;
    int rc = -1;
    progress_start(&t->bar, "bpe-train: training", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    rc = (t->model == MODEL_UNIGRAM ? unigram_train : wordpiece_train)(t->counts, &opt, &json,
                                                                       &stat, e);
    progress_finish(&t->bar);
    if (rc == 0)
        rc = out_write(t->out, json.s, json.len, e);
    buf_release(&json);
    if (rc < 0)
        return -1;
    if (!stat.n_pieces)
        prog_warn(t->prog, "there is no text: the vocabulary has special tokens only");
    prog_note(t->prog,
              "%" PRIu32 " ids: %zu special tokens, %" PRIu32 " characters; from %" PRIu64
              " documents, %" PRIu64 " bytes, %" PRIu64 " pieces (%" PRIu64 " distinct)",
              stat.n_ids, t->opt.n_special, stat.n_chars, t->docs_counts.n_docs,
              t->docs_counts.n_bytes, stat.n_pieces, stat.n_distinct);
    tell_skipped(t);
    return 0;
}

/* ---- merging, and what is said of it */

static int show_merging(void *user, uint32_t n_ids, struct err *e)
{
    struct train *t = user;
    (void)e;
    progress_at(&t->bar, n_ids, "");
    return 0;
}

static void report(const struct train *t, double read_s, double train_s)
{
    const struct bpe_vocab *v = t->vocab;
    char mem[32];
    if (!v->n_pieces)
        prog_warn(t->prog, "there is no text: the vocabulary has bytes and special tokens only");
    prog_note(t->prog,
              "%" PRIu32 " ids: %" PRIu32 " special tokens, 256 bytes, %zu merges; from %" PRIu64
              " documents, %" PRIu64 " bytes, %" PRIu64 " pieces (%" PRIu64 " distinct)",
              v->n_ids, v->n_special, v->n_merges, t->docs_counts.n_docs, t->docs_counts.n_bytes,
              v->n_pieces, v->n_distinct);
    if (v->n_ids < t->opt.vocab_size && v->n_pieces)
        prog_note(t->prog,
                  "fewer than the %" PRIu32 " that were wanted: no other pair occurs %" PRIu64
                  " times",
                  t->opt.vocab_size, t->opt.min_frequency);
    tell_skipped(t);
    prog_talk(t->prog,
              "counting took %.2f s, merging %.2f s and %s; the last pair occurred %" PRIu64
              " times",
              read_s, train_s, num_human_bytes(mem, (double)v->mem_bytes), v->last_count);
}

static int train_more(struct train *t, struct err *e)
{
    struct buf json = BUF_INIT;
    size_t n_merges, n_ids;
    progress_start(&t->bar, "bpe-train: merging", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    int rc = bpe_extend_train(t->extend, t->counts, &t->opt, &json, &n_merges, &n_ids, e);
    progress_finish(&t->bar);
    if (rc == 0)
        rc = out_write(t->out, json.s, json.len, e);
    buf_release(&json);
    if (rc == 0) {
        prog_note(t->prog,
                  "%zu ids, %" PRIu32 " of them as before; %zu new merges; from %" PRIu64
                  " documents, %" PRIu64 " bytes",
                  n_ids, tokenizer_vocab_size(t->old), n_merges, t->docs_counts.n_docs,
                  t->docs_counts.n_bytes);
        tell_skipped(t);
    }
    return rc;
}

static const char *pattern_of(const struct train *t)
{
    if (t->regex)
        return t->regex;
    return t->split_choice == SPLIT_GPT2_WORD ? NULL : split_pattern(split_words[t->split_choice]);
}

static int run(struct train *t, struct err *e)
{
    bool roles = t->role[0] || t->role[1] || t->role[2];
    if (choose_specials(t, e) < 0)
        return -1;
    t->opt.vocab_size = (uint32_t)t->vocab_size;
    t->opt.min_frequency = (uint64_t)t->min_frequency;
    t->opt.max_token_bytes = (uint32_t)t->max_token_length;
    t->opt.n_threads = (int)t->n_threads;
    t->opt.progress = show_merging;
    t->opt.user = t;
    if (roles && (!t->out_path || !strcmp(t->out_path, "-")))
        return err_usage(e, "--bos, --eos and --pad go to the tokenizer_config.json beside the "
                            "file of -o, and there is none");
    if (t->normalize && train_text_normalizer(t->normalize, &t->normalizer, e) < 0)
        return -1;
    if (t->extend_path) {
        if (prepare_extend(t, e) < 0)
            return -1;
    } else if (t->model != MODEL_BPE) {
        if (prepare_text(t, e) < 0)
            return -1;
    } else if (bpe_train_check(&t->opt, e) < 0 || prepare_split(t, e) < 0 ||
               (t->normalize && prepare_text(t, e) < 0)) {
        return -1;
    }
    t->counts = bpe_counts_new(t->mem_bytes ? 1 : (int)t->n_threads, e);
    t->out = t->counts ? out_open(t->out_path, 0, e) : NULL;
    if (!t->out)
        return -1;

    struct buf text = BUF_INIT;
    if (t->split && split_describe(t->split, &text, e) == 0)
        prog_talk(t->prog, "splitting by %s", text.s);
    buf_release(&text);

    double start_s = sys_time();
    if (read_all(t, e) < 0)
        return -1;
    double read_s = sys_time() - start_s;
    if (t->model != MODEL_BPE || t->extend) {
        if ((t->extend ? train_more : train_other)(t, e) < 0)
            return -1;
        struct out *out = t->out;
        t->out = NULL;
        return out_commit(out, e) < 0 || (roles && save_roles(t, e) < 0) ? -1 : 0;
    }
    progress_start(&t->bar, "bpe-train: merging", "ids", (double)t->vocab_size, t->progress,
                   t->quiet);
    t->vocab = bpe_train(t->counts, &t->opt, e);
    progress_finish(&t->bar);
    if (t->vocab) {
        t->vocab->normalizer = t->normalize ? t->normalizer.s : NULL;
        t->vocab->split_digits = t->split_digits;
    }
    if (!t->vocab || bpe_save(t->vocab, pattern_of(t), t->out, e) < 0)
        return -1;
    struct out *out = t->out;
    t->out = NULL;
    if (out_commit(out, e) < 0 || (roles && save_roles(t, e) < 0))
        return -1;
    report(t, read_s, sys_time() - start_s - read_s);
    return 0;
}

/* Options that the chosen model has nothing to do with are mistakes. */
static int check_options(const struct train *t, struct opt *opts, struct err *e)
{
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
    return 0;
}

static void release(struct train *t)
{
    out_abort(t->out);
    docs_abort(t->docs);
    for (int64_t i = 0; t->cutter && i < t->n_threads; i++)
        cutter_free(t->cutter[i]);
    free(t->cutter);
    for (int64_t i = 0; t->text_run && i < t->n_threads; i++)
        train_text_run_free(t->text_run[i]);
    free(t->text_run);
    train_text_free(t->text);
    buf_release(&t->normalizer);
    bpe_extend_free(t->extend);
    tokenizer_close(t->old);
    split_free(t->split);
    bpe_counts_free(t->counts);
    bpe_vocab_free(t->vocab);
    free((void *)t->opt.special);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct train t = {.docs_opt = DOCS_OPT_INIT,
                      .vocab_size = 32768,
                      .min_frequency = 2,
                      .split_choice = SPLIT_O200K_WORD,
                      .normalizer = BUF_INIT,
                      .character_coverage = 0.9995,
                      .shrinking_factor = 0.75,
                      .seed_size = 1000000,
                      .max_piece_chars = 16,
                      .n_sub_iterations = 2};
    struct opt opts[] = {
        {.kind = OPT_CHOICE,
         .name = "model",
         .dst = &t.model,
         .arg = "bpe|wordpiece|unigram",
         .choices = model_words,
         .shapes_output = true,
         .help = "what is trained: byte-level BPE, WordPiece or Unigram (default {})"},
        {.kind = OPT_STR,
         .name = "extend",
         .dst = &t.extend_path,
         .arg = "FILE",
         .help = "add merges to this tokenizer instead; its ids stay"},
        {.kind = OPT_INT,
         .letter = 's',
         .name = "vocab-size",
         .dst = &t.vocab_size,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX - 2,
         .shapes_output = true,
         .help = "ids in all: special tokens, 256 bytes or the characters, merges (default {})"},
        {.kind = OPT_CHOICE,
         .name = "split",
         .dst = &t.split_choice,
         .arg = "gpt2|cl100k|o200k",
         .choices = split_words,
         .shapes_output = true,
         .help = "how text is cut into the pieces that no token crosses (default {})"},
        {.kind = OPT_STR,
         .name = "split-regex",
         .dst = &t.regex,
         .arg = "RE",
         .shapes_output = true,
         .help = "cut by a regular expression instead: its matches are pieces, and what\n"
                 "lies between them"},
        {.kind = OPT_INT,
         .name = "min-frequency",
         .dst = &t.min_frequency,
         .arg = "N",
         .min = 1,
         .max = INT64_MAX,
         .shapes_output = true,
         .help = "a pair must occur N times to become a token (default {})"},
        {.kind = OPT_INT,
         .name = "max-token-length",
         .dst = &t.max_token_length,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX,
         .shapes_output = true,
         .help = "no token of more than N bytes, of WordPiece characters (default: any length)"},
        {.kind = OPT_STR,
         .name = "normalize",
         .dst = &t.normalize,
         .arg = "LIST",
         .shapes_output = true,
         .help = "bpe, unigram: first nfc, nfd, nfkc, nfkd, lowercase or strip-accents"},
        {.kind = OPT_FLAG,
         .name = "split-digits",
         .dst = &t.split_digits,
         .shapes_output = true,
         .help = "bpe, unigram: each digit is a piece by itself"},
        {.kind = OPT_INT,
         .name = "mem",
         .dst = &t.mem_bytes,
         .arg = "SIZE",
         .min = 1 << 20,
         .max = INT64_MAX,
         .shapes_output = true,
         .help = "bpe, wordpiece: use about so much memory; where it is short, the rarest\n"
                 "pieces are forgotten (default: no limit)"},
        {.kind = OPT_INT,
         .name = "limit-alphabet",
         .dst = &t.limit_alphabet,
         .arg = "N",
         .min = 1,
         .max = UINT32_MAX,
         .shapes_output = true,
         .help = "wordpiece: the N most frequent characters (default: all)"},
        {.kind = OPT_FLAG,
         .name = "cased",
         .dst = &t.cased,
         .shapes_output = true,
         .help = "wordpiece: keep capitals and accents"},
        {.kind = OPT_FLAG,
         .name = "byte-fallback",
         .dst = &t.byte_fallback,
         .shapes_output = true,
         .help = "unigram: 256 tokens for bytes, so that nothing is unknown"},
        {.kind = OPT_REAL,
         .name = "character-coverage",
         .dst = &t.character_coverage,
         .arg = "X",
         .rmin = 0,
         .rmax = 1,
         .shapes_output = true,
         .help = "unigram: the share of the text that the characters must make up (default {})"},
        {.kind = OPT_INT,
         .name = "seed-sentencepiece-size",
         .dst = &t.seed_size,
         .arg = "N",
         .min = 1,
         .max = 1 << 24,
         .shapes_output = true,
         .help = "unigram: pieces to begin with (default {})"},
        {.kind = OPT_INT,
         .name = "max-sentencepiece-length",
         .dst = &t.max_piece_chars,
         .arg = "N",
         .min = 1,
         .max = 48,
         .shapes_output = true,
         .help = "unigram: no piece of more than N characters (default {})"},
        {.kind = OPT_REAL,
         .name = "shrinking-factor",
         .dst = &t.shrinking_factor,
         .arg = "X",
         .rmin = 0.01,
         .rmax = 0.99,
         .shapes_output = true,
         .help = "unigram: the share of the pieces that each round keeps (default {})"},
        {.kind = OPT_INT,
         .name = "num-sub-iterations",
         .dst = &t.n_sub_iterations,
         .arg = "N",
         .min = 1,
         .max = 100,
         .shapes_output = true,
         .help = "unigram: steps of expectation and maximisation in a round (default {})"},
        {.kind = OPT_LIST,
         .name = "special",
         .dst = &t.special_list,
         .arg = "TOKEN",
         .shapes_output = true,
         .help = "a special token; may be repeated (default: <|endoftext|>,\n"
                 "<|im_start|> and <|im_end|>)"},
        {.kind = OPT_FLAG,
         .name = "no-special",
         .dst = &t.no_special,
         .shapes_output = true,
         .help = "no special tokens"},
        {.kind = OPT_STR,
         .name = "bos",
         .dst = &t.role[0],
         .arg = "TOKEN",
         .help = "the special token that begins a text, or none; goes to the\n"
                 "tokenizer_config.json beside the output"},
        {.kind = OPT_STR,
         .name = "eos",
         .dst = &t.role[1],
         .arg = "TOKEN",
         .help = "likewise the one that ends it"},
        {.kind = OPT_STR,
         .name = "pad",
         .dst = &t.role[2],
         .arg = "TOKEN",
         .help = "likewise the one that fills up"},
        DOCS_OPTIONS(&t.docs_opt),
        OPT_OUTPUT(&t.out_path),
        OPT_THREADS(&t.n_threads),
        {.kind = OPT_FLAG,
         .name = "progress",
         .dst = &t.progress,
         .help = "show progress also where stderr is no terminal"},
        OPT_QUIET(&t.quiet),
        OPT_VERBOSE(&t.verbose),
        OPT_END,
    };
    struct prog p = {.name = "bpe-train",
                     .purpose = "train a tokenizer: byte-level BPE, WordPiece or Unigram",
                     .synopsis = "[-s N] [--split gpt2|cl100k|o200k | --split-regex RE] "
                                 "[--special TOKEN]... -o tok.json [FILE...]\n"
                                 "--extend old.json -s N -o tok.json [FILE...]\n"
                                 "--model wordpiece [--cased] [-s N] -o tok.json [FILE...]\n"
                                 "--model unigram [--byte-fallback] [-s N] -o tok.json [FILE...]\n",
                     .opts = opts};
    int rc = -1;

    t.prog = &p;
    if (prog_begin(&p, argc, argv, &e)) {
        p.quiet = t.quiet;
        p.verbose = t.verbose;
        sig_cleanup();
        if (t.n_threads == 0)
            t.n_threads = sys_n_cpu();
        rc = check_options(&t, opts, &e) < 0 ? -1 : run(&t, &e);
    }
    release(&t);
    opt_release(opts);
    return prog_end(&p, rc, &e);
}
