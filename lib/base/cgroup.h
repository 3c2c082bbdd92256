/* The limits of this process's control group (Linux, v1 and v2, also inside containers). */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdint.h>

/* Bytes left under the tightest memory limit on the way up to the root, page cache that can be
 * dropped counted as free; UINT64_MAX: no limit. root stands before every path: "" but in tests. */
uint64_t cgroup_mem_available(const char *root);
/* Processors' worth of time that the tightest quota allows; 0: no quota. */
double cgroup_cpu_quota(const char *root);

#endif
