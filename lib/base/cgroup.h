/* The limits of this process's control group (Linux, v1 and v2, also inside containers). */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdint.h>

/* Bytes left under the tightest memory limit on the way up to the root, page cache that can be
 * dropped counted as free; UINT64_MAX: no limit. */
uint64_t cgroup_mem_available(void);
/* Processors' worth of time that the tightest quota allows; 0: no quota. */
double cgroup_cpu_quota(void);

#endif
