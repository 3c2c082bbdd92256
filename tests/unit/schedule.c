/* Learning rates at chosen steps, worked out by hand; batch ramps. */
#include <math.h>
#include "tap.h"
#include "train/schedule.h"

int main(void)
{
    struct schedule s = {.kind = LR_COSINE,
                         .lr = 1e-3,
                         .min_lr = 1e-4,
                         .decay_share = 0.2,
                         .n_warmup = 10,
                         .n_steps = 110};

    is_near(schedule_lr(&s, 1), 1e-4, 1e-12, "first step of the warm-up");
    is_near(schedule_lr(&s, 10), 1e-3, 1e-12, "its last");
    is_near(schedule_lr(&s, 60), 5.5e-4, 1e-12, "cosine half way");
    is_near(schedule_lr(&s, 110), 1e-4, 1e-12, "cosine ends at the minimum");
    is_near(schedule_lr(&s, 35), 1e-4 + 9e-4 * (1 + sqrt(0.5)) / 2, 1e-12, "cosine at a quarter");
    s.kind = LR_LINEAR;
    is_near(schedule_lr(&s, 35), 1e-3 - 9e-4 / 4, 1e-12, "linear at a quarter");
    is_near(schedule_lr(&s, 110), 1e-4, 1e-12, "linear ends at the minimum");
    s.kind = LR_WSD;
    is_near(schedule_lr(&s, 88), 1e-3, 1e-12, "wsd stays");
    is_near(schedule_lr(&s, 99), 5.5e-4, 1e-12, "wsd half way down");
    is_near(schedule_lr(&s, 110), 1e-4, 1e-12, "wsd ends at the minimum");
    s.kind = LR_CONSTANT;
    is_near(schedule_lr(&s, 110), 1e-3, 1e-12, "constant");
    s.n_warmup = 0;
    s.kind = LR_COSINE;
    is_near(schedule_lr(&s, 110), 1e-4, 1e-12, "no warm-up");
    is_int(schedule_batch(1, 9, 8, 1), 1, "a ramp begins with one");
    is_int(schedule_batch(1, 9, 8, 5), 5, "and grows by the step");
    is_int(schedule_batch(1, 9, 8, 9), 9, "to all");
    is_int(schedule_batch(1, 9, 0, 1), 9, "no ramp");
    return done_testing();
}
