/* Escapes undone one after the other, for what jscan_vec_impl_int.h asks for: put(). The file that
 * includes this defines load and, likewise, static void store(char *to, const struct bytes *b). */
#include <stdint.h>

#include "base/compiler.h"
#include "io/jscan_int.h"

/* 64 bytes are written wherever a run begins: how long they are cannot be foretold. */
static ALWAYS_INLINE char *put(char *to, const char *s, const struct bytes *b, uint64_t begin,
                               uint64_t behind, unsigned at)
{
    if (at == 0)
        return to;
    const uint64_t before = ~UINT64_C(0) >> (64 - at);
    const int end = (int)at - (int)(begin >> (at - 1) & 1);
    int done = -(int)(behind & 1); /* the backslash of the first byte stands in the block before */
    store(to, b);
    for (uint64_t m = behind & before; m; m &= m - 1) {
        const int i = CTZ64(m);
        to += i - 1 - done;
        *to++ = jscan_short_escape[(unsigned char)s[i]];
        done = i + 1;
        struct bytes rest;
        load(&rest, s + done);
        store(to, &rest);
    }
    return to + (end - done);
}
