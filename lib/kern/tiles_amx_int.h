/* AMX's eight tile registers, of 16 rows of 64 bytes each, for the calling thread. */
#ifndef TILES_AMX_INT_H
#define TILES_AMX_INT_H

#include <immintrin.h>
#include <stdint.h>
#include "base/compiler.h"

/* Intel SDM vol. 1, 18.3: palette 1, rows and bytes of a row of each tile. */
static inline void tiles_begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } whole = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&whole);
}

static inline void tiles_end(void)
{
    _tile_release();
}

/* Stores before it are seen by tile loads behind it: gcc's do not say that they read memory. */
static ALWAYS_INLINE void tiles_load_barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

#endif
