/* Merging over cells of 32 bits: for vocabularies of any size. */
#include <stdint.h>

#define CELL  uint32_t
#define MERGE bpe_merge32
#include "token/bpe_merge_int.h"
