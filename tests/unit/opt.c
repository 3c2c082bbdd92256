/* Options: every way to write them, every way to get them wrong, and the help text. */
#include "tap.h"

#include "base/buf.h"
#include "base/opt.h"

static struct {
    bool flag, no_flag;
    int count, choice;
    const char *str;
    struct opt_list list;
    int64_t number, batch, ramp;
    uint64_t mem;
    double lr, max_time;
} o;

static const char *const words[] = {"stop", "skip", "replace", NULL};

static struct opt opts[] = {
    {.kind = OPT_FLAG, .letter = 'f', .name = "flag", .dst = &o.flag, .help = "a flag"},
    {.kind = OPT_FLAG, .name = "no-flag", .dst = &o.no_flag, .help = "no flag"},
    {.kind = OPT_COUNT, .letter = 'v', .name = "verbose", .dst = &o.count, .help = "more"},
    {.kind = OPT_STR,
     .letter = 'o',
     .name = "output",
     .dst = &o.str,
     .arg = "FILE",
     .help = "FILE"},
    {.kind = OPT_TITLE, .help = "Numbers"},
    {.kind = OPT_LIST, .letter = 's', .name = "special", .dst = &o.list, .arg = "T", .help = "T"},
    {.kind = OPT_INT,
     .letter = 'n',
     .name = "number",
     .dst = &o.number,
     .arg = "N",
     .min = -5,
     .max = 50,
     .help = "a number from afar, with a help text that is long enough to need "
             "two lines or three of them (default {})\nand a line of its own"},
    {.kind = OPT_INT, .name = "batch", .dst = &o.batch, .arg = "N", .min = 1, .help = "b {}, {}"},
    {.kind = OPT_INT,
     .name = "batch-ramp",
     .dst = &o.ramp,
     .arg = "N",
     .help = "aa b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4"},
    {.kind = OPT_BYTES,
     .name = "mem",
     .dst = &o.mem,
     .arg = "SIZE",
     .min = 1024,
     .max = (int64_t)1 << 40,
     .help = "{}"},
    {.kind = OPT_REAL, .letter = 'l', .dst = &o.lr, .arg = "X", .rmin = 0, .rmax = 1, .help = "{}"},
    {.kind = OPT_TIME, .name = "max-time", .dst = &o.max_time, .arg = "TIME", .help = "{}"},
    {.kind = OPT_CHOICE,
     .name = "on-error-of-a-long-name",
     .dst = &o.choice,
     .arg = "stop|skip|replace",
     .choices = words,
     .help = "what to do (default {})"},
    OPT_END,
};

static int n_operands;
static char *argv[32];
static struct err e;

/* Parses the words of line, parted by spaces ("_" is an empty one). */
static int parse(const char *line)
{
    static char text[512];
    int argc = 1;
    opt_release(opts);
    memset(&o, 0, sizeof o);
    o.number = 7;
    o.batch = 12;
    o.mem = 64 << 20;
    o.lr = 3e-4;
    for (struct opt *p = opts; p->help; p++)
        p->given = 0;
    err_clear(&e);
    snprintf(text, sizeof text, "%s", line);
    argv[0] = "prog";
    for (char *p = text; *p;) {
        argv[argc++] = *p == '_' ? "" : p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    argv[argc] = NULL;
    return opt_parse(opts, argc, argv, &n_operands, &e);
}

static void test_forms(void)
{
    static const char *const forms[] = {"-o x",  "-ox",   "--output x", "--output=x", "--out=x",
                                        "-fo x", "-fvox", "a -o x b",   "-o y -ox"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        ok(parse(forms[i]) == 0 && o.str && strcmp(o.str, "x") == 0, "%s: %s", forms[i], e.msg);
    ok(parse("-vvfv") == 0 && o.count == 3 && o.flag, "letters in a bundle");
    ok(parse("--verbose --verb") == 0 && o.count == 2, "a count by name");
    ok(parse("-n -3") == 0 && o.number == -3, "a negative number as a value");
    ok(parse("-n-3 --batch=1K") == 0 && o.number == -3 && o.batch == 1000, "and in one word");
    ok(parse("--batch-ramp -9999999999") == 0 && o.ramp == -9999999999, "a range without ends");
    ok(parse("--batch 9999999999") == 0 && o.batch == 9999999999, "without an upper end");
    ok(parse("-o - -o -- -- -o") == 0 && strcmp(o.str, "--") == 0 && n_operands == 1 &&
           strcmp(argv[1], "-o") == 0,
       "- and -- as values; what follows -- is an operand");
    ok(parse("--output= -o _") == 0 && strcmp(o.str, "") == 0, "an empty value");
    ok(parse("--output=a=b") == 0 && strcmp(o.str, "a=b") == 0, "a value with an equals sign");
    ok(parse("a -f - b -- c -v") == 0 && n_operands == 5 && !strcmp(argv[1], "a") &&
           !strcmp(argv[2], "-") && !strcmp(argv[3], "b") && !strcmp(argv[4], "c") &&
           !strcmp(argv[5], "-v") && !argv[6] && o.flag && o.count == 0,
       "operands move to the front, in order");
    ok(parse("_ a") == 0 && n_operands == 2 && !strcmp(argv[1], ""), "an empty operand");
    ok(parse("") == 0 && n_operands == 0, "nothing at all");
    ok(parse("-s a --special b -sc --spec=d") == 0 && o.list.n == 4 && !strcmp(o.list.v[0], "a") &&
           !strcmp(o.list.v[3], "d"),
       "a list keeps all, in order");
    ok(parse("--no-flag") == 0 && o.no_flag && !o.flag, "--no-NAME is what the table says");
    ok(parse("--batch 3") == 0 && o.batch == 3 && o.ramp == 0,
       "an exact name wins over a longer one");
    ok(parse("--mem 1.5G -l 1e-3 --max-time 1h30m --on-err skip") == 0 &&
           o.mem == (uint64_t)3 << 29 && o.lr == 1e-3 && o.max_time == 5400 && o.choice == 1,
       "bytes, reals, times and words");
    ok(parse("-f -n 1 -n 2") == 0 && opt_find(opts, "flag")->given == 1 &&
           opt_find(opts, "number")->given == 2 && opt_find(opts, "batch")->given == 0,
       "how often each was given");
}

static void test_errors(void)
{
    static const struct {
        const char *line, *msg;
    } bad[] = {
        {"-x", "there is no option -x"},
        {"-fx", "there is no option -x (in -fx)"},
        {"--nothing", "there is no option --nothing"},
        {"--ouptut x", "there is no option --ouptut; is --output meant?"},
        {"--vebose", "there is no option --vebose; is --verbose meant?"},
        {"--=x", "there is no option --=x"},
        {"---", "there is no option ---"},
        {"--b 1", "--b may mean --batch, --batch-ramp"},
        {"--flag=yes", "--flag takes no value"},
        {"--output", "--output needs a value: --output FILE"},
        {"-f -o", "-o needs a value: -o FILE"},
        {"-n x", "-n: 'x' is not a whole number (such as 12, 64K, 2Gi, 1.5M, 1e6)"},
        {"-n 51", "-n: '51' is out of range: -5 to 50"},
        {"--number=-6", "--number: '-6' is out of range: -5 to 50"},
        {"--num=99", "--number: '99' is out of range: -5 to 50"},
        {"--batch 0", "--batch: '0' is out of range: 1 or more"},
        {"--batch -1", "--batch: '-1' is out of range: 1 or more"},
        {"--mem 1", "--mem: '1' is out of range: 1024 to 1099511627776 bytes"},
        {"--mem 2T", "--mem: '2T' is out of range: 1024 to 1099511627776 bytes"},
        {"-l 2", "-l: '2' is out of range: 0 to 1"},
        {"--max-time soon",
         "--max-time: 'soon' is not a time (such as 90, 90s, 15m, 2h, 1d, 1h30m)"},
        {"--on-error-of-a-long-name halt",
         "--on-error-of-a-long-name: 'halt' is none of stop, skip, replace"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int rc = parse(bad[i].line);
        ok(rc == -1 && e.kind == ERR_USAGE && strcmp(e.msg, bad[i].msg) == 0, "%s: %s", bad[i].line,
           e.msg);
    }
    ok(parse("-n 3 -n 4 --batch 0") == -1 && o.batch == 12,
       "a value that is refused is not stored");
    char long_name[300];
    memset(long_name, 'o', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    memcpy(long_name, "--", 2);
    ok(parse(long_name) == -1, "a very long name");
}

static void test_show(void)
{
    static const char *const texts[][2] = {
        {"flag", "true"},        {"flag", "false"},    {"verbose", "3"},
        {"output", "some file"}, {"number", "-4"},     {"mem", "3M"},
        {"mem", "1025"},         {"max-time", "5400"}, {"on-error-of-a-long-name", "replace"}};
    struct buf b = BUF_INIT;
    parse("");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct opt *p = opt_find(opts, texts[i][0]);
        buf_clear(&b);
        ok(opt_set(p, texts[i][1], &e) == 0 && opt_show(p, &b) && strcmp(b.s, texts[i][1]) == 0,
           "%s is set to and shown as %s", p->name, texts[i][1]);
    }
    static const char *const bad[][2] = {{"special", "a\377"}, {"output", "\355\240\200"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct opt *p = opt_find(opts, bad[i][0]);
        ok(opt_set(p, bad[i][1], &e) == 0, "--%s may be a name of any bytes", p->name);
        p->utf8 = true;
        ok(opt_set(p, bad[i][1], &e) < 0 && e.kind == ERR_USAGE &&
               strstr(e.msg, i ? "invalid UTF-8 at byte 0" : "invalid UTF-8 at byte 1"),
           "--%s is to be text", p->name);
        ok(opt_set(p, "\303\251", &e) == 0, "and is");
        p->utf8 = false;
    }
    parse("");
    ok(!opt_show(opt_find(opts, "output"), &b), "no string, nothing to show");
    ok(!opt_show(opt_find(opts, "special"), &b), "a list is not one text");
    ok(opt_set(opt_find(opts, "flag"), "maybe", &e) < 0, "a flag is true or false");
    ok(opt_set(opt_find(opts, "flag"), "", &e) == 0 && o.flag, "or just set");
    buf_release(&b);
}

static void test_help(void)
{
    static const char want[] =
        "\nOptions:\n"
        "  -f, --flag              a flag\n"
        "      --no-flag           no flag\n"
        "  -v, --verbose           more\n"
        "  -o, --output FILE       FILE\n"
        "\nNumbers:\n"
        "  -s, --special T         T\n"
        "  -n, --number N          a number from afar, with a help text that is long\n"
        "                          enough to need two lines or three of them (default 7)\n"
        "                          and a line of its own\n"
        "      --batch N           b 12, 12\n"
        "      --batch-ramp N      aa b c d e f g h i j k l m n o p q r s t u v w x y z\n"
        "                          0 1 2 3 4\n"
        "      --mem SIZE          64M\n"
        "  -l X                    0.0003\n"
        "      --max-time TIME     0\n"
        "      --on-error-of-a-long-name stop|skip|replace\n"
        "                          what to do (default stop)\n";
    struct buf b = BUF_INIT;
    parse("");
    ok(opt_help(opts, &b, &e) == 0, "the help text");
    is_str(b.s, want, "is laid out for 80 columns");
    buf_release(&b);
}

int main(void)
{
    test_forms();
    test_errors();
    test_show();
    test_help();
    ok(opt_near("seed", "seed") == 0 && opt_near("sed", "seed") == 1 &&
           opt_near("x", "seed") == 3 && opt_near("abc", "xyz") == 3,
       "nearness of words");
    opt_release(opts);
    return done_testing();
}
