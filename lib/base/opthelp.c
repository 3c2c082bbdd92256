/* The help text of an option table, for a terminal of 80 columns. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/opt.h"

enum { WIDTH = 80, HELP_COL = 26 };

/* Columns of n bytes of text; a character counts once. */
static int columns(const char *s, size_t n)
{
    int w = 0;
    for (size_t i = 0; i < n; i++)
        w += ((unsigned char)s[i] & 0xc0) != 0x80;
    return w;
}

static int new_line(struct buf *out, struct err *e)
{
    return buf_printf(out, e, "\n%*s", HELP_COL, "");
}

/* Words of text from column `at` on, broken before WIDTH; "\n" in the text is kept. */
static int wrap(struct buf *out, const char *text, int at, struct err *e)
{
    bool fresh = true; /* nothing on this line yet */
    for (const char *p = text; *p;) {
        if (*p == '\n') {
            if (new_line(out, e) < 0)
                return -1;
            at = HELP_COL;
            fresh = true;
            p++;
            continue;
        }
        if (*p == ' ') {
            p++;
            continue;
        }
        size_t len = strcspn(p, " \n");
        int w = columns(p, len);
        if (!fresh && at + 1 + w >= WIDTH) {
            if (new_line(out, e) < 0)
                return -1;
            at = HELP_COL;
            fresh = true;
        }
        if ((!fresh && buf_putc(out, ' ', e) < 0) || buf_add(out, p, len, e) < 0)
            return -1;
        at += w + !fresh;
        fresh = false;
        p += len;
    }
    return buf_putc(out, '\n', e);
}

/* The help text with {} replaced by the present value. */
static int fill(struct buf *text, const struct opt *o, struct err *e)
{
    const char *p = o->help ? o->help : "", *hole;
    while ((hole = strstr(p, "{}")) != NULL) {
        if (buf_add(text, p, (size_t)(hole - p), e) < 0)
            return -1;
        if (!opt_show(o, text) && buf_puts(text, "none", e) < 0)
            return -1;
        p = hole + 2;
    }
    return buf_puts(text, p, e);
}

static int one(const struct opt *o, struct buf *out, struct buf *text, struct err *e)
{
    size_t start = out->len;
    char letter[] = {'-', o->letter, o->name ? ',' : '\0', '\0'};
    if (buf_printf(out, e, o->name ? "  %-3s" : "  %s", o->letter ? letter : "") < 0)
        return -1;
    if (o->name && buf_printf(out, e, " --%s", o->name) < 0)
        return -1;
    if (o->arg && buf_printf(out, e, " %s", o->arg) < 0)
        return -1;
    int at = columns(out->s + start, out->len - start);
    if (at + 2 > HELP_COL ? new_line(out, e) < 0 : buf_printf(out, e, "%*s", HELP_COL - at, "") < 0)
        return -1;
    buf_clear(text);
    if (fill(text, o, e) < 0)
        return -1;
    return wrap(out, text->s, HELP_COL, e);
}

int opt_help(const struct opt *opts, struct buf *out, struct err *e)
{
    struct buf text = BUF_INIT;
    int rc = -1;
    if (opts->kind != OPT_TITLE && buf_puts(out, "\nOptions:\n", e) < 0)
        goto out;
    for (const struct opt *o = opts; o->name || o->letter || o->help; o++)
        if (o->kind == OPT_TITLE ? buf_printf(out, e, "\n%s:\n", o->help) < 0
                                 : one(o, out, &text, e) < 0)
            goto out;
    rc = 0;
out:
    buf_release(&text);
    return rc;
}
