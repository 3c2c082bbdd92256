/* Functions that have a safer twin here; including this header (forced by the build) bans them. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef atof
#undef gets
#undef rand
#define strcpy   use_memcpy_or_buf_instead_of_strcpy
#define strcat   use_buf_instead_of_strcat
#define sprintf  use_snprintf_or_buf_instead_of_sprintf
#define vsprintf use_vsnprintf_instead_of_vsprintf
#define strtok   use_strcspn_instead_of_strtok
#define atoi     use_num_instead_of_atoi
#define atol     use_num_instead_of_atol
#define atof     use_num_instead_of_atof
#define gets     use_in_line_instead_of_gets
#define rand     use_rng_instead_of_rand

#endif
