/* Where a configuration is found: a file, a model directory, or a preset by its name. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "io/jtree.h"
#include "model/config.h"

#ifndef QUERN_DATADIR
#    define QUERN_DATADIR "data"
#endif

/* The directory of the running program; empty where the system does not say. */
static int program_dir(struct buf *b, struct err *e)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    while (n > 0 && path[n - 1] != '/')
        n--;
    return n > 0 && (size_t)n < sizeof path ? buf_add(b, path, (size_t)n, e) : 0;
}

/* Presets stand in data/presets of the build tree (programs in bin, tests in obj/tests/unit), in
 * share/quern/presets beside an installed bin, or where configure was told. */
static int preset_dir(struct buf *b, struct err *e)
{
    static const char *const beside[] = {"../data/presets", "../share/quern/presets",
                                         "../../../data/presets"};
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        buf_clear(b);
        if (program_dir(b, e) < 0)
            return -1;
        if (!b->len)
            break;
        if (buf_puts(b, beside[i], e) < 0)
            return -1;
        if (stat(b->s, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
    }
    buf_clear(b);
    return buf_puts(b, QUERN_DATADIR "/presets", e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int config_presets(struct buf *out, struct err *e)
{
    struct buf dir = BUF_INIT;
    DIR *d = NULL;
    struct dirent *ent;
    char **names = NULL;
    size_t n = 0, cap = 0;
    int rc = -1;

    if (preset_dir(&dir, e) < 0)
        goto done;
    d = opendir(dir.s);
    while (d && (ent = readdir(d))) {
        size_t len = strlen(ent->d_name);
        if (len < 6 || strcmp(ent->d_name + len - 5, ".json") || ent->d_name[0] == '.')
            continue;
        if (mem_grow(&names, &cap, n + 1, sizeof *names, e) < 0)
            goto done;
        names[n] = mem_dup(ent->d_name, len - 5, e);
        if (!names[n++])
            goto done;
    }
    if (n)
        qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if ((i && buf_puts(out, " ", e) < 0) || buf_puts(out, names[i], e) < 0)
            goto done;
    rc = 0;
done:
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    if (d)
        closedir(d);
    buf_release(&dir);
    return rc;
}

int config_find(const char *path, struct buf *file, bool *preset, struct err *e)
{
    struct buf known = BUF_INIT;
    struct stat st;

    *preset = false;
    buf_clear(file);
    if (stat(path, &st) == 0)
        return buf_printf(file, e, S_ISDIR(st.st_mode) ? "%s/config.json" : "%s", path);
    if (errno != ENOENT && errno != ENOTDIR)
        return err_sys(e, "%s", path);
    if (!*path || strchr(path, '/')) {
        errno = ENOENT;
        return err_sys(e, "%s", path);
    }
    if (preset_dir(file, e) < 0 || buf_printf(file, e, "/%s.json", path) < 0)
        return -1;
    *preset = stat(file->s, &st) == 0;
    if (*preset)
        return 0;
    if (config_presets(&known, e) < 0)
        return -1;
    err_set(e, "%s: no such file or directory, and no preset of that name; presets: %s", path,
            known.len ? known.s : "none were found");
    buf_release(&known);
    return -1;
}

int config_load(struct config *c, const char *path, struct err *e)
{
    struct buf file = BUF_INIT;
    json_t *tree = NULL;
    bool preset;
    int rc = -1;

    *c = (struct config){0};
    if (config_find(path, &file, &preset, e) < 0)
        goto done;
    tree = jtree_load(file.s, e);
    if (tree)
        rc = config_parse(c, tree, file.s, e);
done:
    json_decref(tree);
    buf_release(&file);
    return rc;
}
