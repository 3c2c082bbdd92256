/* Runs the other commands by name, for systems where those carry a prefix, and opens manuals. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/prog.h"

static const struct command {
    const char *name, *purpose;
} commands[] = {
#include "commands.h" /* written by the build from cmd and man/man1 */
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int list_commands(struct buf *out, struct err *e)
{
    if (buf_puts(out, "Commands:\n", e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->name, "quern") != 0 &&
            buf_printf(out, e, "  %-12s %s\n", c->name, c->purpose) < 0)
            return -1;
    }
    return buf_puts(out,
                    "\n'quern help COMMAND' opens the manual of a command,\n"
                    "'quern help tutorial' a walk through all of them.\n",
                    e);
}

/* Where this program lies, so that its own siblings are found whatever PATH holds. */
static int own_directory(char *dir, size_t cap, struct err *e)
{
    ssize_t n = readlink("/proc/self/exe", dir, cap);
    if (n < 0)
        return err_sys(e, "cannot tell where this program lies: /proc/self/exe");
    if ((size_t)n >= cap)
        return err_set(e, "the path of this program is too long");
    dir[n] = '\0';
    *strrchr(dir, '/') = '\0';
    return 0;
}

static int exec_sibling(const struct command *c, char **argv, struct err *e)
{
    static const char *const prefixes[] = {QUERN_PREFIX, ""}; /* installed, and in the build tree */
    char dir[PATH_MAX], path[PATH_MAX + 256];
    if (own_directory(dir, sizeof dir, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        snprintf(path, sizeof path, "%s/%s%s", dir, prefixes[i], c->name);
        execv(path, argv);
        if (errno != ENOENT)
            break;
    }
    return err_sys(e, "cannot run %s", path);
}

/* The page of a command, a format or a subject ("tutorial"), installed or in the build tree. A
 * name may end in its section: "shard.5". */
static int find_page(const char *name, char *path, size_t cap, struct err *e)
{
    static const struct form {
        char section;
        const char *before;
    } forms[] = {{'1', QUERN_PREFIX}, {'1', ""}, {'5', ""}, {'7', ""}, {'7', "quern-"}};
    char dir[PATH_MAX], places[3][PATH_MAX + 32];
    if (own_directory(dir, sizeof dir, e) < 0)
        return -1;
    snprintf(places[0], sizeof places[0], "%s/../man", dir);
    snprintf(places[1], sizeof places[1], "%s/../share/man", dir);
    snprintf(places[2], sizeof places[2], "%s", QUERN_MANDIR);

    const char *dot = strrchr(name, '.');
    char section = dot && dot[1] && !dot[2] ? dot[1] : '\0';
    int len = section ? (int)(dot - name) : (int)strnlen(name, NAME_MAX);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (size_t j = 0; j < ARRAY_LEN(forms); j++) {
            const struct form *f = &forms[j];
            if (section && section != f->section)
                continue;
            int n = snprintf(path, cap, "%s/man%c/%s%.*s.%c", places[i], f->section, f->before, len,
                             name, f->section);
            if (n > 0 && (size_t)n < cap && access(path, R_OK) == 0)
                return 0;
        }
    }
    return err_usage(e, "there is no manual '%s'", name);
}

static int help(const char *name, struct err *e)
{
    char path[2 * PATH_MAX];
    if (find_page(name, path, sizeof path, e) < 0)
        return -1;
    execlp("man", "man", path, (char *)NULL);
    execlp("mandoc", "mandoc", "-a", path, (char *)NULL);
    return err_set(e, "neither man nor mandoc is installed; the manual is %s", path);
}

static int run(struct prog *p, int argc, char **argv, struct err *e)
{
    const struct command *c = find_command(argv[1]);
    if (c && strcmp(c->name, p->name) != 0)
        return exec_sibling(c, argv + 1, e);
    if (strcmp(argv[1], "help") != 0)
        return err_usage(e, "there is no command '%s'", argv[1]);
    if (argc > 3)
        return err_usage(e, "help takes one name");
    return help(argc == 3 ? argv[2] : p->name, e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct buf list = BUF_INIT;
    struct opt opts[] = {OPT_END};
    struct prog p = {.name = "quern",
                     .purpose = "run a command of quern by name",
                     .synopsis = "COMMAND [ARG...]\nhelp [NAME]\n",
                     .opts = opts};
    char *no_command[] = {argv[0], (char[]){"--help"}, NULL};
    int rc;
    /* what follows the command's name is the command's */
    if (argc > 1 && argv[1][0] != '-') {
        rc = run(&p, argc, argv, &e);
    } else {
        rc = list_commands(&list, &e);
        p.epilog = list.s;
        if (rc == 0 && prog_begin(&p, argc > 1 ? argc : 2, argc > 1 ? argv : no_command, &e))
            rc = err_usage(&e, "a command must be named");
        else
            rc = -1;
    }
    rc = prog_end(&p, rc, &e);
    buf_release(&list);
    return rc;
}
