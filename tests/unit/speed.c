/* How often steps, prompts and runs of tokens are timed. */
#include "model/config.h"
#include "tap.h"
#include "train/speed.h"

static struct config c;
static const struct exec_opt o = {.n_threads = 1};

static void check(struct speed_times times, int want, const char *name)
{
    struct speed s[3];
    struct err e = {0};

    if (speed_train(&s[0], &c, &o, 2, 16, times, &e) < 0 ||
        speed_prefill(&s[1], &c, &o, 16, times, &e) < 0 ||
        speed_decode(&s[2], &c, &o, 8, times, &e) < 0)
        bail_out(e.msg);
    for (int i = 0; i < 3; i++) {
        static const char *const what[] = {"steps", "prompts", "runs of tokens"};
        ok(s[i].n_made == want && s[i].step_s > 0 && s[i].first_s > 0, "%s: %d %s", name,
           s[i].n_made, what[i]);
        buf_release(&s[i].profile);
    }
}

int main(void)
{
    struct err e = {0};

    if (config_load(&c, "char-nano", &e) < 0)
        bail_out(e.msg);
    check((struct speed_times){5, 600}, 5, "enough time for five");
    check((struct speed_times){5, 0}, 2, "no time");
    check((struct speed_times){2, 600}, 2, "two are asked for");
    config_release(&c);
    return done_testing();
}
