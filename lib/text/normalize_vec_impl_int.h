/* nfc_skip for 64 bytes at once, over the blocks that split_vec_impl_int.h describes. */
#include "base/compiler.h"
#include "text/normalize_int.h"
#include "text/unicode.h"

static size_t skip(const unsigned char *s, size_t p, size_t n)
{
    for (; n - p >= 64; p += 64) {
        struct block b;
        block_load(&b, s + p);
        /* nothing below U+0300 is marked, nor from U+4000 to U+9FFF */
        uint64_t doubtful = block_in(&b, 0xcc, 0xe3) | block_in(&b, 0xea, 0xff);
        for (; doubtful; doubtful &= doubtful - 1) {
            unsigned i = (unsigned)CTZ64(doubtful), len;
            if (uni_props(uni_decode(s + p + i, &len)) & UNI_NFC)
                return p + i;
        }
    }
    return nfc_skip_portable(s, p, n);
}
