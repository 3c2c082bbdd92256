/* JSON trees: errors with their place, checked getters, stable writing. */
#include "tap.h"

#include "io/in.h"
#include "io/jtree.h"

static json_t *parse(const char *s, struct err *e)
{
    return jtree_parse(s, strlen(s), "x.json", e);
}

static void test_errors(void)
{
    static const struct {
        const char *s, *why;
    } c[] = {
        {"", "x.json: is empty"},
        {"{\"a\":1,\n  b}", "x.json:2:3: not JSON: "},
        {"{\"a\":1}x", "x.json:1:8: not JSON: "},
        {"{\"a\":1e999}", "x.json:1:10: not JSON: "},
        {"{\"a\":\"\xff\"}", "not JSON: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct err e = {0};
        ok(!parse(c[i].s, &e), "refused: case %zu", i);
        is_like(e.msg, c[i].why, "%s", e.msg);
        ok(!strchr(e.msg, '\n'), "in one line");
    }
    struct err e = {0};
    ok(!jtree_load(scratch_path("absent.json"), &e), "no file");
    is_like(e.msg, "/absent.json: cannot open", "%s", e.msg);
    ok(!jtree_load(top_path("tests/files/bad-comma.jsonl"), &e), "a broken file");
    is_like(e.msg, "bad-comma.jsonl:2:", "%s", e.msg);
}

static void test_getters(void)
{
    struct err e = {0};
    json_t *o = parse("\xef\xbb\xbf{\"i\":-3,\"big\":9007199254740993,\"r\":0.5,\"s\":\"x\","
                      "\"t\":true,\"f\":false,\"n\":null,\"l\":[1],\"d\":1,\"d\":2}",
                      &e);
    int64_t i = 7;
    double r = 7;
    bool b = true;
    const char *s = "seven";
    is_int(jtree_int(o, "i", -5, 5, &i, &e), 1, "an integer");
    is_int(i, -3, "its value");
    is_int(jtree_int(o, "big", 0, INT64_MAX, &i, &e), 1, "a large one");
    is_int(i, 9007199254740993, "is exact");
    is_int(jtree_int(o, "d", 0, 9, &i, &e), 1, "a key given twice");
    is_int(i, 2, "has the last value");
    i = 7;
    ok(jtree_int(o, "absent", 0, 9, &i, &e) == 0 && jtree_int(o, "n", 0, 9, &i, &e) == 0 && i == 7,
       "missing and null leave the default");
    is_int(jtree_int(o, "i", 0, 5, &i, &e), -1, "out of range");
    is_str(e.msg, "\"i\" is -3, out of range: 0 to 5", "%s", e.msg);
    is_int(jtree_int(o, "r", 0, 5, &i, &e), -1, "a real is no integer");
    is_str(e.msg, "\"r\" is a number, not an integer", "%s", e.msg);
    is_int(jtree_int(o, "s", 0, 5, &i, &e), -1, "a string is none");
    is_str(e.msg, "\"s\" is a string, not an integer", "%s", e.msg);
    is_int(i, 7, "and the default stays");
    ok(jtree_real(o, "r", 0, 1, &r, &e) == 1 && r == 0.5, "a real");
    ok(jtree_real(o, "i", -9, 1, &r, &e) == 1 && r == -3, "an integer is one too");
    is_int(jtree_real(o, "r", 1, 2, &r, &e), -1, "out of range");
    is_str(e.msg, "\"r\" is 0.5, out of range: 1 to 2", "%s", e.msg);
    is_int(jtree_real(o, "l", 1, 2, &r, &e), -1, "an array is no number");
    is_int(jtree_real(o, "absent", 1, 2, &r, &e), 0, "missing");
    ok(jtree_bool(o, "f", &b, &e) == 1 && !b, "false");
    ok(jtree_bool(o, "t", &b, &e) == 1 && b, "true");
    is_int(jtree_bool(o, "i", &b, &e), -1, "a number is not true or false");
    is_int(jtree_bool(o, "n", &b, &e), 0, "null");
    ok(jtree_str(o, "s", &s, &e) == 1 && !strcmp(s, "x"), "a string");
    is_int(jtree_str(o, "t", &s, &e), -1, "true is none");
    is_str(e.msg, "\"t\" is true or false, not a string", "%s", e.msg);
    is_int(jtree_str(o, "absent", &s, &e), 0, "missing");
    json_decref(o);
    o = parse("[1]", &e);
    is_int(jtree_int(o, "i", 0, 5, &i, &e), 0, "an array has no keys");
    json_decref(o);
}

static void test_dump(void)
{
    static const char text[] = "{\n"
                               "  \"z\": 1,\n"
                               "  \"a\": [\n"
                               "    0.1,\n"
                               "    1.0,\n"
                               "    -1e-5,\n"
                               "    1e300,\n"
                               "    10000.0,\n"
                               "    -9223372036854775808\n"
                               "  ],\n"
                               "  \"quote \\\" \\\\ \\u0001 \\n\xc3\xa9\": {},\n"
                               "  \"m\": {\n"
                               "    \"b\": true,\n"
                               "    \"a\": false,\n"
                               "    \"\": null\n"
                               "  },\n"
                               "  \"e\": []\n"
                               "}\n";
    struct err e = {0};
    struct buf b = BUF_INIT;
    size_t n;
    json_t *o = parse(text, &e);
    is_int(jtree_dump(o, &b, &e), 0, "dumped");
    is_str(b.s, text, "as it was read");
    const char *path = scratch_path("x.json");
    is_int(jtree_save(o, path, &e), 0, "saved");
    json_decref(o);
    struct in *in = in_open(path, 0, &e);
    char *back = in_all(in, 1 << 20, &n, &e);
    is_str(back, text, "to the same bytes");
    free(back);
    in_close(in);
    o = jtree_load(path, &e);
    buf_clear(&b);
    jtree_dump(o, &b, &e);
    is_str(b.s, text, "and loaded");
    is_int(jtree_save(o, scratch_path("no/x.json"), &e), -1, "no directory to save in");
    is_like(e.msg, "/no/x.json: ", "%s", e.msg);
    json_decref(o);
    o = parse("0.1", &e);
    buf_clear(&b);
    jtree_dump(o, &b, &e);
    is_str(b.s, "0.1\n", "a value alone");
    json_decref(o);
    buf_release(&b);
}

/* transformers stores the largest double below 10^30 as an integer where there is no limit. */
static void test_wide(void)
{
    struct err e = {0};
    int64_t i = 0;
    double d = 0;
    const char *text = NULL;
    json_t *o = parse("{\"max\": 1000000000000000019884624838656, \"n\": -12, \"f\": 0.5,"
                      " \"s\": \"a\\\"123456789012345678901234567890\","
                      " \"m\": [-99999999999999999999, 9223372036854775807.5]}",
                      &e);
    ok(o, "integers beyond 64 bits");
    is_int(jtree_real(o, "max", 0, 1e300, &d, &e), 1, "are numbers");
    ok(d > 0.999e30 && d < 1.001e30, "of their size");
    is_int(jtree_int(o, "n", -100, 100, &i, &e), 1, "others stay");
    is_int(i, -12, "integers");
    is_int(jtree_str(o, "s", &text, &e), 1, "strings too");
    is_str(text, "a\"123456789012345678901234567890", "stay as they are");
    is_int(jtree_int(o, "max", 0, INT64_MAX, &i, &e), -1, "as an integer such a one is refused");
    json_decref(o);
    char many[512];
    memset(many, '9', sizeof many);
    ok(!jtree_parse(many, sizeof many, "x.json", &e), "beyond a double");
    is_like(e.msg, "x.json:1:", "%s", e.msg);
}

int main(void)
{
    test_errors();
    test_wide();
    test_getters();
    test_dump();
    return done_testing();
}
