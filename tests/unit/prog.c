/* The frame of a command, seen from outside: this program runs itself as a command and looks at
 * what comes out, what is said and how it ends. */
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/prog.h"
#include "base/signals.h"

static bool quiet;
static int verbose;
static int64_t lines, threads = 3;
static struct opt_list list;
static const char *failure;

static struct opt opts[] = {
    OPT_THREADS(&threads),
    {.kind = OPT_INT, .letter = 'n', .name = "lines", .dst = &lines, .arg = "N", .help = "lines"},
    {.kind = OPT_LIST, .letter = 'l', .name = "list", .dst = &list, .arg = "T", .help = "list"},
    {.kind = OPT_STR, .name = "fail", .dst = &failure, .arg = "HOW", .help = "fail"},
    OPT_QUIET(&quiet),
    OPT_VERBOSE(&verbose),
    OPT_END,
};

static int run(struct prog *p, struct err *e)
{
    prog_warn(p, "warn %s", "\n");
    prog_note(p, "note");
    prog_talk(p, "talk");
    for (int i = 0; i < p->n_operands; i++)
        printf("operand %s\n", p->operands[i]);
    for (int64_t i = 0; i < lines; i++)
        puts("a line of text, so that the buffer is soon full");
    if (!failure)
        return 0;
    if (strcmp(failure, "usage") == 0)
        return err_usage(e, "wrong");
    if (strcmp(failure, "pipe") == 0) {
        e->kind = ERR_PIPE;
        return -1;
    }
    if (strcmp(failure, "silent") == 0)
        return -1;
    if (strcmp(failure, "signal") == 0) {
        sig_catch();
        raise(SIGTERM);
        err_set(e, "stopped, all is kept");
        e->kind = sig_pending() == SIGTERM ? ERR_SIGNAL : ERR_FAIL;
        return -1;
    }
    return err_set(e, "in.jsonl:17: %s", failure);
}

static int command(int argc, char **argv)
{
    struct err e = {0};
    struct prog p = {.name = "demo",
                     .purpose = "show the frame",
                     .synopsis = "[-n N] [FILE...]\n--list T\n",
                     .opts = opts,
                     .epilog = "More is in the manual.\n"};
    if (!prog_begin(&p, argc, argv, &e))
        return prog_end(&p, -1, &e);
    p.quiet = quiet;
    p.verbose = verbose;
    return prog_end(&p, run(&p, &e), &e);
}

static int sub(int argc, char **argv)
{
    printf("%s with %d\n", argv[0], argc - 1);
    return 0;
}

static const struct prog_sub subs[] = {
    {"split", "split it", sub}, {"shuffle", "shuffle it", sub}, {NULL, NULL, NULL}};

static char out[1 << 16];
static const char *self;

/* Runs `script`, a shell line in which $D is this program as a command; what it prints, both ways
 * and with "status N" at the end, is in out. */
static const char *shell(const char *script)
{
    char line[2000];
    snprintf(line, sizeof line,
             "D='env AS_COMMAND=demo %s'; S='env AS_COMMAND=subs %s'; { %s; } 2>&1; echo status $?",
             self, self, script);
    FILE *f = popen(line, "r");
    size_t n = f ? fread(out, 1, sizeof out - 1, f) : 0;
    out[n] = '\0';
    if (f)
        pclose(f);
    return out;
}

static void test_help(void)
{
    is_str(shell("$D -h"),
           "usage: demo [-n N] [FILE...]\n"
           "       demo --list T\n"
           "\n"
           "Show the frame.\n"
           "\n"
           "Options:\n"
           "  -j, --threads N         threads; 0: all processors. Output never depends on\n"
           "                          it (default 3)\n"
           "  -n, --lines N           lines\n"
           "  -l, --list T            list\n"
           "      --fail HOW          fail\n"
           "  -q, --quiet             say nothing but errors\n"
           "  -v, --verbose           say more; twice: still more\n"
           "  -h, --help              print this text\n"
           "  -V, --version           print the version\n"
           "\n"
           "More is in the manual.\n"
           "status 0\n",
           "-h");
    is_like(shell("$D -j 7 --help --wrong"), "(default 3)", "--help tells the defaults");
    is_like(out, "status 0", "and is answered even where more is wrong");
    is_like(shell("$D -V"), "demo (quern) ", "-V");
    is_like(out, prog_version(), "with the version");
    is_like(shell("$D --vers >/dev/full"), "demo: stdout: No space left on device\nstatus 1",
            "which must be written, too");
}

static void test_messages(void)
{
    is_str(shell("$D a -l x -l y -- -b"),
           "demo: warn \\x0a\ndemo: note\noperand a\noperand -b\nstatus 0\n", "an ordinary run");
    is_str(shell("$D -q"), "demo: warn \\x0a\nstatus 0\n", "-q leaves warnings");
    is_str(shell("$D -v"), "demo: warn \\x0a\ndemo: note\ndemo: talk\nstatus 0\n", "-v says more");
    is_str(shell("$D -q --fail 'no good' -n 1 2>/dev/null"),
           "a line of text, so that the buffer is soon full\nstatus 1\n",
           "what was printed before an error comes out");
    is_like(shell("$D --fail 'no good'"), "demo: in.jsonl:17: no good\nstatus 1\n", "a failure");
    is_like(shell("$D --fail usage"), "demo: wrong\nTry 'demo -h' for the options.\nstatus 2\n",
            "a wrong use");
    is_like(shell("$D --fail silent"), "demo: failed\nstatus 1\n", "an error without a message");
    is_str(shell("$D --nothing"),
           "demo: there is no option --nothing\nTry 'demo -h' for the options.\nstatus 2\n",
           "an unknown option");
    is_like(shell("$D --fail signal"), "demo: stopped, all is kept\n", "a signal that was caught");
    is_like(out, "status 143\n", "is raised again");
}

static void test_stdout(void)
{
    is_str(shell("$D -q -n 3 >/dev/full"),
           "demo: warn \\x0a\ndemo: stdout: No space left on device\nstatus 1\n",
           "a full disk found at the end");
    is_str(shell("$D -q -n 30000 >/dev/full"),
           "demo: warn \\x0a\ndemo: stdout: No space left on device\nstatus 1\n",
           "or long before it");
    is_like(shell("$D -q -n 3 >&-"), "demo: stdout: Bad file descriptor\nstatus 1\n",
            "a closed stdout");
    is_str(shell("$D -q >&-"), "demo: warn \\x0a\nstatus 0\n", "which does not matter if unused");
    is_like(shell("$D -q --fail no -n 3 >/dev/full"), "17: no\nstatus 1\n",
            "the first error is the one that is told");
    is_str(shell("$D -q 2>&- <&-"), "status 0\n", "all others closed");
    is_str(shell("st=$(mktemp); { $D -q -n 100000; echo end $? >$st; } 2>/dev/null | head -n 1; "
                 "cat $st; rm $st; :"),
           "a line of text, so that the buffer is soon full\nend 141\nstatus 0\n",
           "a filter dies of SIGPIPE quietly");
    is_str(shell("trap '' PIPE; { $D -q -n 100000; echo end $? >&3; } 3>&2 2>&1 | "
                 "{ sleep 0.2; :; }"),
           "end 141\nstatus 0\n", "also where the parent ignored SIGPIPE");
    is_like(shell("$D --fail pipe"), "status 141\n", "ERR_PIPE ends the same way");
}

static void test_subcommands(void)
{
    is_str(shell("$S split a -b"), "split with 2\nstatus 0\n", "a subcommand gets its arguments");
    is_str(shell("$S"),
           "shard: which command? There are split, shuffle\n"
           "Try 'shard -h' for the options.\nstatus 2\n",
           "none");
    is_like(shell("$S spilt"), "there is no 'shard spilt'; is 'split' meant?", "a mistyped one");
    is_like(shell("$S x"), "there is no 'shard x'; there are split, shuffle", "an unknown one");
    is_str(shell("$S -h"),
           "usage: shard COMMAND [OPTION...] [FILE...]\n\nWork on shards.\n\nCommands:\n"
           "  split          split it\n  shuffle        shuffle it\n\n"
           "'shard COMMAND -h' tells the options of one.\nstatus 0\n",
           "-h lists them");
    is_like(shell("$S --version"), "shard (quern) ", "--version");
    is_like(shell("$S -h >/dev/full"), "shard: stdout: No space left on device\nstatus 1",
            "and stdout is checked");
}

int main(int argc, char **argv)
{
    const char *as = getenv("AS_COMMAND");
    if (as && strcmp(as, "demo") == 0)
        return command(argc, argv);
    if (as)
        return prog_subcommands("shard", "work on shards", subs, argc, argv);
    self = argv[0];
    test_help();
    test_messages();
    test_stdout();
    test_subcommands();
    return done_testing();
}
