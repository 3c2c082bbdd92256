/* Provenance lines: see prov.h. */
#include "shard/prov.h"

#include <stdbool.h>
#include <string.h>

#include "base/prog.h"
#include "base/utf8.h"

static bool is_plain(const char *s)
{
    for (; *s; s++) {
        if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\')
            return false;
    }
    return true;
}

/* " name=value", the value as a JSON string where it is not plain. */
static int add_value(struct buf *out, const char *name, const char *value, struct err *e)
{
    if (buf_printf(out, e, " %s=", name) < 0)
        return -1;
    if (is_plain(value))
        return buf_puts(out, value, e);
    struct buf valid = BUF_INIT;
    int rc = -1;
    if (utf8_replace(&valid, value, strlen(value), e) >= 0)
        rc = buf_json_string(out, valid.s, valid.len, e);
    buf_release(&valid);
    return rc;
}

int prov_value(struct buf *prov, const char *name, const char *value, struct err *e)
{
    if (prov->len > 0)
        prov->s[--prov->len] = '\0'; /* the newline */
    return add_value(prov, name, value, e) < 0 ? -1 : buf_putc(prov, '\n', e);
}

static int add_option(struct buf *out, const struct opt *o, struct err *e)
{
    struct buf value = BUF_INIT;
    int rc = 0;
    if (o->kind == OPT_LIST) {
        const struct opt_list *l = o->dst;
        for (size_t i = 0; i < l->n && rc == 0; i++)
            rc = add_value(out, o->name, l->v[i], e);
    } else if (opt_show(o, &value) && value.len > 0 &&
               (o->kind != OPT_FLAG || *(const bool *)o->dst)) {
        rc = add_value(out, o->name, value.s, e);
    }
    buf_release(&value);
    return rc;
}

int prov_add(struct buf *prov, const char *program, const struct opt *opts, struct err *e)
{
    if (buf_printf(prov, e, "%s %s", program, prog_version()) < 0)
        return -1;
    for (const struct opt *o = opts; o && (o->name || o->letter || o->help); o++) {
        if (o->shapes_output && o->name && add_option(prov, o, e) < 0)
            return -1;
    }
    return buf_putc(prov, '\n', e);
}
