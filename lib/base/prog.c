/* The frame of a command: options, help, messages, exit status. */
#include "base/prog.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/signals.h"

#ifndef QUERN_VERSION
#    define QUERN_VERSION "unknown"
#endif

const char *prog_version(void)
{
    return QUERN_VERSION;
}

/* A standard descriptor that the parent had closed would be given to the next file opened, which
 * print would then write into. So it is taken, in the mode that its use fails with (EBADF). */
static void occupy_std(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 1 ? O_RDONLY : O_WRONLY);
}

/* "usage: NAME first form" and the other forms under it. */
static int usage(struct buf *out, const char *name, const char *synopsis, struct err *e)
{
    const char *word = "usage:";
    for (const char *p = synopsis; *p;) {
        size_t n = strcspn(p, "\n");
        if (buf_printf(out, e, "%-6s %s%s%.*s\n", word, name, n ? " " : "", (int)n, p) < 0)
            return -1;
        word = "";
        p += n + (p[n] == '\n');
    }
    return 0;
}

static int sentence(struct buf *out, const char *purpose, struct err *e)
{
    return buf_printf(out, e, "\n%c%s.\n", toupper((unsigned char)purpose[0]), purpose + 1);
}

static int help(struct buf *out, const struct prog *p, const struct opt *opts, struct err *e)
{
    if (usage(out, p->name, p->synopsis, e) < 0 || sentence(out, p->purpose, e) < 0 ||
        opt_help(opts, out, e) < 0)
        return -1;
    return p->epilog ? buf_printf(out, e, "\n%s", p->epilog) : 0;
}

/* The command's table with -h and -V at its end; caller frees. */
static struct opt *with_common(struct opt *opts, size_t *n, bool *want_help, bool *want_version,
                               struct err *e)
{
    bool titles = false;
    for (*n = 0; opts[*n].name || opts[*n].letter || opts[*n].help; ++*n)
        titles = titles || opts[*n].kind == OPT_TITLE;
    struct opt *all = mem_new(*n + 4, sizeof *all, e);
    if (!all)
        return NULL;
    memcpy(all, opts, *n * sizeof *all);
    size_t i = *n;
    if (titles)
        all[i++] = (struct opt){.kind = OPT_TITLE, .help = "Help"};
    all[i++] = (struct opt){.kind = OPT_FLAG,
                            .letter = 'h',
                            .name = "help",
                            .dst = want_help,
                            .help = "print this text"};
    all[i++] = (struct opt){.kind = OPT_FLAG,
                            .letter = 'V',
                            .name = "version",
                            .dst = want_version,
                            .help = "print the version"};
    return all;
}

static void print_version(const char *name)
{
    printf("%s (quern) %s\n", name, prog_version());
}

bool prog_begin(struct prog *p, int argc, char **argv, struct err *e)
{
    struct buf text = BUF_INIT;
    bool want_help = false, want_version = false, ok = false;
    size_t n;
    occupy_std();
    /* a write beyond the limit of file sizes fails then, and is told like any other */
    signal(SIGXFSZ, SIG_IGN);
    struct opt *all = with_common(p->opts, &n, &want_help, &want_version, e);
    /* the text is made before parsing changes what the options hold: the defaults */
    if (!all || help(&text, p, all, e) < 0)
        goto out;
    int rc = opt_parse(all, argc, argv, &p->n_operands, e);
    for (size_t i = 0; i < n; i++)
        p->opts[i].given = all[i].given;
    if (want_help || want_version) { /* also where what follows -h is wrong */
        if (want_help)
            fputs(text.s, stdout);
        else
            print_version(p->name);
        p->done = true;
        err_clear(e);
        goto out;
    }
    if (rc < 0)
        goto out;
    p->operands = argv + 1;
    ok = true;
out:
    free(all);
    buf_release(&text);
    return ok;
}

static void print_err(const char *name, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", name, e->msg[0] ? e->msg : "failed");
    if (e->kind == ERR_USAGE)
        fprintf(stderr, "Try '%s -h' for the options.\n", name);
}

/* 0, or -1: what had been printed could not be written. */
static int close_stdout(struct err *e)
{
    errno = 0;
    bool failed = ferror(stdout) != 0; /* errno of a failure long ago is lost */
    if (fflush(stdout) != 0)
        failed = true;
    int no = errno;
    if (fclose(stdout) != 0 && !failed) {
        failed = true;
        no = errno;
    }
    if (!failed)
        return 0;
    if (no == 0)
        return err_set(e, "stdout: write error");
    errno = no;
    return err_sys(e, "stdout");
}

int prog_end(struct prog *p, int rc, const struct err *e)
{
    struct err out = {0};
    progress_clear();
    opt_release(p->opts);
    if (p->done)
        rc = 0;
    enum err_kind kind = rc < 0 ? e->kind : ERR_NONE;
    if (kind == ERR_PIPE)
        sig_reraise(SIGPIPE);
    if (rc < 0)
        print_err(p->name, e);
    if (close_stdout(&out) < 0) {
        if (out.kind == ERR_PIPE)
            sig_reraise(SIGPIPE);
        if (rc == 0) /* else the first error is the one to tell */
            print_err(p->name, &out);
        rc = -1;
    }
    if (kind == ERR_SIGNAL && sig_pending())
        sig_reraise(sig_pending());
    return kind == ERR_USAGE ? 2 : rc < 0 ? 1 : 0;
}

static int list_subs(struct buf *out, const char *name, const char *purpose,
                     const struct prog_sub *subs, struct err *e)
{
    if (usage(out, name, "COMMAND [OPTION...] [FILE...]\n", e) < 0 ||
        sentence(out, purpose, e) < 0 || buf_puts(out, "\nCommands:\n", e) < 0)
        return -1;
    for (const struct prog_sub *s = subs; s->name; s++)
        if (buf_printf(out, e, "  %-14s %s\n", s->name, s->purpose) < 0)
            return -1;
    return buf_printf(out, e, "\n'%s COMMAND -h' tells the options of one.\n", name);
}

/* Without or with an unknown subcommand. */
static int no_sub(const char *name, const struct prog_sub *subs, const char *word, struct err *e)
{
    struct buf words = BUF_INIT;
    const char *near = NULL;
    for (const struct prog_sub *s = subs; s->name; s++) {
        buf_printf(&words, NULL, "%s%s", words.len ? ", " : "", s->name);
        if (word && !near && opt_near(word, s->name) < 3)
            near = s->name;
    }
    if (!word)
        err_usage(e, "which command? There are %s", words.s);
    else if (near)
        err_usage(e, "there is no '%s %s'; is '%s' meant? There are %s", name, word, near, words.s);
    else
        err_usage(e, "there is no '%s %s'; there are %s", name, word, words.s);
    buf_release(&words);
    return -1;
}

int prog_subcommands(const char *name, const char *purpose, const struct prog_sub *subs, int argc,
                     char **argv)
{
    static struct opt none[] = {OPT_END};
    struct prog p = {.name = name, .opts = none};
    struct err e = {0};
    struct buf text = BUF_INIT;
    const char *word = argc > 1 ? argv[1] : NULL;
    for (const struct prog_sub *s = subs; word && s->name; s++)
        if (strcmp(s->name, word) == 0)
            return s->main(argc - 1, argv + 1);
    occupy_std();
    int rc = 0;
    if (word && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)) {
        rc = list_subs(&text, name, purpose, subs, &e);
        if (rc == 0)
            fputs(text.s, stdout);
    } else if (word && (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)) {
        print_version(name);
    } else {
        rc = no_sub(name, subs, word, &e);
    }
    buf_release(&text);
    return prog_end(&p, rc, &e);
}

static void PRINTF_LIKE(2, 0) say(const struct prog *p, const char *fmt, va_list ap)
{
    struct err e; /* for its way with bytes that are not printable */
    err_vset(&e, fmt, ap);
    progress_clear();
    fprintf(stderr, "%s: %s\n", p->name, e.msg);
}

void prog_warn(const struct prog *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(p, fmt, ap);
    va_end(ap);
}

void prog_note(const struct prog *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!p->quiet)
        say(p, fmt, ap);
    va_end(ap);
}

void prog_talk(const struct prog *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (p->verbose > 0)
        say(p, fmt, ap);
    va_end(ap);
}
