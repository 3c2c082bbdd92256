/* Merging over cells of 16 bits: for vocabularies under 65535 ids. */
#include <stdint.h>

#define CELL  uint16_t
#define MERGE bpe_merge16
#include "token/bpe_merge_int.h"
