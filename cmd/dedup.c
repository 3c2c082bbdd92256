/* dedup: drops documents that are duplicates of others. See dedup(1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "clean/exact.h"
#include "clean/form.h"
#include "io/apart.h"
#include "io/docflow.h"
#include "io/in.h"
#include "io/out.h"
#include "io/tmp.h"

enum keep { KEEP_FIRST, KEEP_LONGEST };
static const char *const keep_words[] = {"first", "longest", NULL};

/* Where a document stands, in one word: index of its operand, line. */
enum { LINE_BITS = 40 };
static const char stdin_name[] = "stdin";
static const uint64_t line_mask = ((uint64_t)1 << LINE_BITS) - 1;

/* The words of an entry of the set; V_LENGTH only with --keep longest. */
enum { V_PLACE, V_LENGTH };

struct result {
    struct exact_item seen;
    uint64_t len; /* of the text, in bytes */
};

/* What one thread writes stands as far from what another one uses, or both would wait. */
enum { APART = 128 };

struct scratch {
    struct buf form; /* a normal form */
    char apart[APART];
};

struct dedup {
    struct prog *prog;
    struct docs_opt docs_opt;
    int form, keep;
    const char *clusters_path, *out_path;
    int64_t n_threads;
    bool quiet, progress;
    int verbose;

    struct scratch *scratch; /* one per thread */

    ALIGNED(APART) struct exact seen;

    ALIGNED(APART) struct docs *docs; /* from here on: what put changes */
    struct out *out, *clusters;
    struct buf line;
    const char *run; /* records that follow each other in the input, not yet written */
    size_t run_len;
    const char *const *file; /* the operands, stdin_name for stdin */
    size_t n_files, file_at; /* file_at: of the document at hand */
    const char *file_name;   /* as the documents have it: one pointer per operand */
    struct progress bar;
    uint64_t n_docs, n_kept, n_bytes, kept_bytes;
};

static int hash_doc(void *user, const struct doc *doc, int thread, void *result, struct err *e)
{
    struct dedup *d = user;
    struct result *r = result;
    r->len = doc->len;
    r->seen.wanted = true;
    return form_hash(doc->text, doc->len, (enum text_form)d->form, &d->scratch[thread].form,
                     &r->seen.hash, e);
}

/* Documents come in the order of the operands; one that has none is passed over. */
static uint64_t place_of(struct dedup *d, const struct doc *doc)
{
    if (doc->file != d->file_name) {
        size_t i = d->file_name ? d->file_at + 1 : 0;
        while (i < d->n_files && d->file[i] != doc->file &&
               !(d->file[i] == stdin_name && !strcmp(doc->file, stdin_name)))
            i++;
        if (i == d->n_files)
            BUG("a document of %s, which is no operand", doc->file);
        d->file_at = i;
        d->file_name = doc->file;
    }
    return (uint64_t)d->file_at << LINE_BITS | (doc->line & line_mask);
}

/* First pass of --keep longest: the longest of each class, the first of equals. */
static int note_doc(void *user, const struct doc *doc, const void *result, struct err *e)
{
    struct dedup *d = user;
    const struct result *r = result;
    bool added;
    uint64_t *v = exact_put(&d->seen, r->seen.hash, &added, e);
    if (!v)
        return -1;
    if (added || r->len > v[V_LENGTH]) {
        v[V_LENGTH] = r->len;
        v[V_PLACE] = place_of(d, doc);
    }
    return 0;
}

static int add_place(struct dedup *d, const char *prefix, uint64_t place, struct err *e)
{
    const char *name = d->file[place >> LINE_BITS];
    struct buf text = BUF_INIT; /* a file's name need not be UTF-8 */
    int rc =
        utf8_replace(&text, name, strlen(name), e) < 0 ||
                buf_printf(&d->line, e, "\"%sfile\": ", prefix) < 0 ||
                buf_json_string(&d->line, text.s, text.len, e) < 0 ||
                buf_printf(&d->line, e, ", \"%sline\": %" PRIu64, prefix, place & line_mask) < 0
            ? -1
            : 0;
    buf_release(&text);
    return rc;
}

static int write_cluster(struct dedup *d, uint64_t place, uint64_t kept, struct err *e)
{
    buf_clear(&d->line);
    if (buf_puts(&d->line, "{", e) < 0 || add_place(d, "", place, e) < 0 ||
        buf_puts(&d->line, ", ", e) < 0 || add_place(d, "kept_", kept, e) < 0 ||
        buf_puts(&d->line, "}\n", e) < 0)
        return -1;
    return out_write(d->clusters, d->line.s, d->line.len, e);
}

static int write_run(struct dedup *d, struct err *e)
{
    size_t n = d->run_len;
    d->run_len = 0;
    return n ? out_write(d->out, d->run, n, e) : 0;
}

/* A record as it was, a line as a line, any other plain text as a JSONL record. */
static int write_doc(struct dedup *d, const struct doc *doc, struct err *e)
{
    if (doc->raw || d->docs_opt.lines) {
        const char *s = doc->raw ? doc->raw : doc->text;
        size_t n = doc->raw ? doc->raw_len : doc->len;
        bool whole = s[n] == '\n';
        if (d->run_len && s != d->run + d->run_len && write_run(d, e) < 0)
            return -1;
        if (!d->run_len)
            d->run = s;
        d->run_len += n + whole;
        if (whole)
            return 0;
        return write_run(d, e) < 0 ? -1 : out_write(d->out, "\n", 1, e);
    }
    buf_clear(&d->line);
    if (buf_puts(&d->line, "{", e) < 0 ||
        buf_json_string(&d->line, d->docs_opt.key, strlen(d->docs_opt.key), e) < 0 ||
        buf_puts(&d->line, ": ", e) < 0 || buf_json_string(&d->line, doc->text, doc->len, e) < 0 ||
        buf_puts(&d->line, "}\n", e) < 0)
        return -1;
    return out_write(d->out, d->line.s, d->line.len, e);
}

static int put_doc(void *user, const struct doc *doc, const void *result, struct err *e)
{
    struct dedup *d = user;
    const struct result *r = result;
    uint64_t place = 0, kept = 0;
    bool added = false;

    if (d->clusters || d->keep == KEEP_LONGEST)
        place = place_of(d, doc);
    if (d->keep == KEEP_LONGEST) {
        const uint64_t *v = exact_get(&d->seen, r->seen.hash);
        if (!v)
            return err_set(e, "%s: changed between the two readings of --keep longest", doc->file);
        kept = v[V_PLACE];
        added = kept == place;
    } else if (d->clusters) {
        uint64_t *v = exact_put(&d->seen, r->seen.hash, &added, e);
        if (!v)
            return -1;
        if (added)
            v[V_PLACE] = place;
        kept = v[V_PLACE];
    } else {
        added = r->seen.added;
    }
    d->n_docs++;
    d->n_bytes += r->len;
    if (!added)
        return d->clusters ? write_cluster(d, place, kept, e) : 0;
    d->n_kept++;
    d->kept_bytes += r->len;
    return write_doc(d, doc, e);
}

/* Where entries have no values: looks up all the documents of a batch. */
static int look_up(void *user, void *result, size_t stride, size_t n, struct err *e)
{
    struct dedup *d = user;
    return exact_put_each(&d->seen, result, stride, n, e);
}

/* Where they have: put looks up. */
static int fetch_entries(void *user, void *result, size_t stride, size_t n, struct err *e)
{
    struct dedup *d = user;
    (void)e;
    for (size_t i = 0; i < n; i++) {
        const struct result *r = (const void *)((const char *)result + i * stride);
        exact_prefetch(&d->seen, r->seen.hash);
    }
    return 0;
}

/* The batch goes away: what is left of it is written. */
static int finish_batch(void *user, struct err *e)
{
    struct dedup *d = user;
    double done;
    if (write_run(d, e) < 0)
        return -1;
    docs_progress(d->docs, &done, &d->bar.total);
    progress_at(&d->bar, done, "");
    return 0;
}

static int read_all(struct dedup *d, const char *what, bool writing, struct err *e)
{
    bool with_values = d->keep == KEEP_LONGEST || d->clusters;
    struct docflow flow = {
        .work = hash_doc,
        .put = writing ? put_doc : note_doc,
        .ready = with_values ? fetch_entries : NULL,
        .settle = with_values ? NULL : look_up,
        .done = finish_batch,
        .result_size = sizeof(struct result),
    };
    struct docs_opt opt = d->docs_opt;
    if (!writing)
        opt.rejected = NULL;
    d->file_name = NULL;
    d->docs = docs_open(d->prog->operands, d->prog->n_operands, &opt, e);
    if (!d->docs)
        return -1;
    progress_start(&d->bar, what, "B", 0, d->progress, d->quiet);
    int rc = docflow_run(&flow, d, d->docs, &opt, (int)d->n_threads, e);
    progress_finish(&d->bar);
    return rc;
}

/* Copies stdin to a temporary file that takes its place, to be read twice. */
static int spool_stdin(struct err *e)
{
    enum { BLOCK = 1 << 20 };
    struct tmp t = {.fd = -1};
    char *block = mem_new(BLOCK, 1, e);
    struct in *in = block ? in_open("-", IN_RAW, e) : NULL;
    long n = -1;

    if (in && tmp_open(&t, 0, e) == 0) {
        while ((n = in_read(in, block, BLOCK, e)) > 0) {
            if (tmp_write(&t, block, (size_t)n, e) < 0) {
                n = -1;
                break;
            }
        }
        if (n == 0 && (dup2(t.fd, 0) < 0 || lseek(0, 0, SEEK_SET) < 0))
            n = err_sys(e, "%s", t.path);
    }
    tmp_close(&t);
    in_close(in);
    free(block);
    return (int)n;
}

/* --keep longest: every operand must be there a second time. *start: where stdin begins. */
static int prepare_two_passes(struct dedup *d, off_t *start, struct err *e)
{
    struct stat st;
    for (size_t i = 0; i < d->n_files; i++) {
        const char *name = d->prog->n_operands > 0 ? d->prog->operands[i] : "-";
        if (!strcmp(name, "-")) {
            if (fstat(0, &st) < 0)
                return err_sys(e, "stdin");
            if (!S_ISREG(st.st_mode) && spool_stdin(e) < 0)
                return -1;
            *start = lseek(0, 0, SEEK_CUR);
        } else if (stat(name, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
            return err_set(e,
                           "%s: not a regular file, and --keep longest reads twice; "
                           "give it on stdin, which is copied",
                           name);
        }
    }
    return 0;
}

static int open_outputs(struct dedup *d, struct err *e)
{
    if (d->clusters_path && !(d->clusters = out_open(d->clusters_path, 0, e)))
        return -1;
    d->out = out_open(d->out_path, 0, e);
    return d->out ? 0 : -1;
}

static int commit(struct dedup *d, struct err *e)
{
    struct docs_counts counts;
    struct out *out = d->out, *clusters = d->clusters;
    struct docs *docs = d->docs;

    d->docs = NULL;
    if (docs_close(docs, &counts, e) < 0)
        return -1;
    d->clusters = NULL;
    if (clusters && out_commit(clusters, e) < 0)
        return -1;
    d->out = NULL;
    if (out_commit(out, e) < 0)
        return -1;
    prog_note(d->prog,
              "%" PRIu64 " documents in, %" PRIu64 " kept, %" PRIu64 " duplicates; %" PRIu64
              " bytes of text in, %" PRIu64 " kept",
              d->n_docs, d->n_kept, d->n_docs - d->n_kept, d->n_bytes, d->kept_bytes);
    if (counts.n_skipped || counts.n_replaced)
        prog_note(d->prog,
                  "%" PRIu64 " bad records skipped, %" PRIu64 " repaired (invalid UTF-8 replaced)",
                  counts.n_skipped, counts.n_replaced);
    return 0;
}

static int check_files(const struct dedup *d, struct err *e)
{
    const struct file_use use[] = {{FILE_REPLACE, "-o", d->out_path ? d->out_path : "-"},
                                   {FILE_OUT, "--clusters", d->clusters_path},
                                   {FILE_OUT, "--rejected", d->docs_opt.rejected}};
    return files_apart(d->prog->operands, d->prog->n_operands, use, ARRAY_LEN(use), e);
}

static int run(struct dedup *d, struct err *e)
{
    off_t start = 0;
    /* with --text it names the field of the output */
    if (d->docs_opt.lines && docs_check_key(d->prog->opts, &d->docs_opt, e) < 0)
        return -1;
    if (check_files(d, e) < 0)
        return -1;
    if (d->keep == KEEP_LONGEST && prepare_two_passes(d, &start, e) < 0)
        return -1;
    exact_init(&d->seen, d->keep == KEEP_LONGEST ? 2 : d->clusters_path != NULL);
    if (open_outputs(d, e) < 0)
        return -1;
    if (d->keep == KEEP_LONGEST) {
        if (read_all(d, "dedup: reading", false, e) < 0)
            return -1;
        docs_abort(d->docs);
        d->docs = NULL;
        if (lseek(0, start, SEEK_SET) < 0 && start > 0)
            return err_sys(e, "stdin");
    }
    if (read_all(d, "dedup", true, e) < 0)
        return -1;
    prog_talk(d->prog, "the table of %zu hashes takes %zu bytes", d->seen.n, exact_bytes(&d->seen));
    return commit(d, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct dedup d = {.docs_opt = DOCS_OPT_INIT, .line = BUF_INIT};
    struct opt opts[] = {
        {.kind = OPT_CHOICE,
         .name = "normalize",
         .dst = &d.form,
         .arg = "none|space|text",
         .choices = form_words,
         .shapes_output = true,
         .help = "what counts as the same: equal bytes; also with other white space;\n"
                 "also with other case, punctuation and spaces (default {})"},
        {.kind = OPT_CHOICE,
         .name = "keep",
         .dst = &d.keep,
         .arg = "first|longest",
         .choices = keep_words,
         .shapes_output = true,
         .help = "which one of several duplicates is kept (default {})"},
        {.kind = OPT_STR,
         .name = "clusters",
         .dst = &d.clusters_path,
         .arg = "FILE",
         .help = "write to FILE which document was a duplicate of which"},
        DOCS_OPTIONS(&d.docs_opt),
        OPT_OUTPUT(&d.out_path),
        OPT_THREADS(&d.n_threads),
        {.kind = OPT_FLAG,
         .name = "progress",
         .dst = &d.progress,
         .help = "show progress also where stderr is no terminal"},
        OPT_QUIET(&d.quiet),
        OPT_VERBOSE(&d.verbose),
        OPT_END,
    };
    struct prog p = {.name = "dedup",
                     .purpose = "drop duplicate documents",
                     .synopsis = "[--normalize none|space|text] [--keep first|longest] "
                                 "[--clusters FILE] [-o FILE] [FILE...]\n",
                     .opts = opts};
    const char **file = NULL;
    int rc = -1;

    d.prog = &p;
    if (!prog_begin(&p, argc, argv, &e))
        goto end;
    p.quiet = d.quiet;
    p.verbose = d.verbose;
    sig_cleanup();
    if (d.n_threads == 0)
        d.n_threads = sys_n_cpu();
    d.n_files = p.n_operands > 0 ? (size_t)p.n_operands : 1;
    file = mem_new(d.n_files, sizeof *file, &e);
    d.scratch = mem_new((size_t)d.n_threads, sizeof *d.scratch, &e);
    if (!file || !d.scratch)
        goto end;
    for (int64_t i = 0; i < d.n_threads; i++)
        d.scratch[i].form = (struct buf)BUF_INIT;
    for (size_t i = 0; i < d.n_files; i++)
        file[i] = p.n_operands > 0 && strcmp(p.operands[i], "-") ? p.operands[i] : stdin_name;
    d.file = file;
    rc = run(&d, &e);
end:
    out_abort(d.out);
    out_abort(d.clusters);
    docs_abort(d.docs);
    exact_release(&d.seen);
    for (int64_t i = 0; d.scratch && i < d.n_threads; i++)
        buf_release(&d.scratch[i].form);
    free(d.scratch);
    free(file);
    buf_release(&d.line);
    opt_release(opts);
    return prog_end(&p, rc, &e);
}
