/* Reads the limits of control groups from /proc and /sys. */
#include "base/cgroup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 4096 };

/* Where the group of one controller is mounted and which directory of it is ours. */
struct place {
    bool found, v2;
    const char *root;
    char mount[PATH_CAP]; /* mount point */
    char group[PATH_CAP]; /* our path below it, "" or "/a/b" */
};

/* Whether a comma-separated list holds word. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ",\n");
        if (len == n && memcmp(p, word, n) == 0)
            return true;
        p += len + (p[len] != '\0');
    }
    return false;
}

static FILE *open_below(const char *root, const char *path)
{
    char full[3 * PATH_CAP];
    int n = snprintf(full, sizeof full, "%s%s", root, path);
    return n > 0 && (size_t)n < sizeof full ? fopen(full, "r") : NULL;
}

/* Our group of a v1 controller (or of v2: controller "") as /proc/self/cgroup names it. */
static bool own_group(const char *root, const char *controller, char out[PATH_CAP])
{
    FILE *f = open_below(root, "/proc/self/cgroup");
    char line[PATH_CAP + 256];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        char *list = strchr(line, ':');
        char *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        list++;
        path[strcspn(path, "\n")] = '\0';
        if (*controller ? has_word(list, controller) : *list == '\0') {
            snprintf(out, PATH_CAP, "%s", strcmp(path, "/") == 0 ? "" : path);
            found = true;
        }
    }
    if (f)
        fclose(f);
    return found;
}

/* mountinfo: id parent major:minor root mount-point options ... - type source super-options */
static bool parse_mount(char *line, char **root, char **point, char **type, char **super)
{
    char *dash = strstr(line, " - ");
    if (!dash)
        return false;
    *dash = '\0';
    char *p = line;
    for (int i = 0; i < 3; i++) {
        p = strchr(p, ' ');
        if (!p)
            return false;
        p++;
    }
    *root = p;
    p = strchr(p, ' ');
    if (!p)
        return false;
    *p++ = '\0';
    *point = p;
    p[strcspn(p, " ")] = '\0';
    *type = dash + 3;
    p = strchr(*type, ' ');
    if (!p)
        return false;
    *p++ = '\0';
    p = strchr(p, ' ');
    *super = p ? p + 1 : dash;
    return true;
}

/* The mount may show only a part of the tree (a container's): its root is cut off our path. */
static void set_place(struct place *pl, const char *part, const char *point, const char *group)
{
    size_t n = strcmp(part, "/") == 0 ? 0 : strlen(part);
    if (strncmp(group, part, n) != 0)
        group = "";
    else
        group += n;
    snprintf(pl->mount, PATH_CAP, "%s", point);
    snprintf(pl->group, PATH_CAP, "%s", group);
    pl->found = true;
}

static void find_place(const char *root, const char *controller, bool v2, struct place *pl)
{
    char group[PATH_CAP], line[3 * PATH_CAP];
    *pl = (struct place){.v2 = v2, .root = root};
    if (!own_group(root, v2 ? "" : controller, group))
        return;
    FILE *f = open_below(root, "/proc/self/mountinfo");
    while (f && !pl->found && fgets(line, sizeof line, f)) {
        char *part, *point, *type, *super;
        if (!parse_mount(line, &part, &point, &type, &super))
            continue;
        if (v2 ? strcmp(type, "cgroup2") == 0
               : strcmp(type, "cgroup") == 0 && has_word(super, controller))
            set_place(pl, part, point, group);
    }
    if (f)
        fclose(f);
}

static FILE *open_file(const struct place *pl, const char *name)
{
    char path[2 * PATH_CAP + 64];
    snprintf(path, sizeof path, "%s%s/%s", pl->mount, pl->group, name);
    return open_below(pl->root, path);
}

/* The first number of a file; UINT64_MAX for "max" or no file. */
static uint64_t read_number(const struct place *pl, const char *name)
{
    uint64_t v = UINT64_MAX;
    FILE *f = open_file(pl, name);
    if (f) {
        if (fscanf(f, "%" SCNu64, &v) != 1)
            v = UINT64_MAX;
        fclose(f);
    }
    return v;
}

/* Page cache that the system would drop before it refuses memory. */
static uint64_t droppable(const struct place *pl)
{
    char line[256];
    uint64_t v = 0;
    const char *key = pl->v2 ? "inactive_file " : "total_inactive_file ";
    FILE *f = open_file(pl, "memory.stat");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            v = strtoull(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return v;
}

/* To the parent group; false at the top. */
static bool go_up(struct place *pl)
{
    char *slash = strrchr(pl->group, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

static uint64_t mem_left(struct place *pl)
{
    uint64_t least = UINT64_MAX;
    do {
        uint64_t max = read_number(pl, pl->v2 ? "memory.max" : "memory.limit_in_bytes");
        uint64_t used = read_number(pl, pl->v2 ? "memory.current" : "memory.usage_in_bytes");
        if (max > UINT64_MAX / 4 || used == UINT64_MAX)
            continue;
        uint64_t cache = droppable(pl);
        used -= cache < used ? cache : used;
        uint64_t left = max > used ? max - used : 0;
        if (left < least)
            least = left;
    } while (go_up(pl));
    return least;
}

uint64_t cgroup_mem_available(const char *root)
{
    uint64_t least = UINT64_MAX;
    for (int v2 = 0; v2 < 2; v2++) {
        struct place pl;
        find_place(root, "memory", v2, &pl);
        uint64_t left = pl.found ? mem_left(&pl) : UINT64_MAX;
        if (left < least)
            least = left;
    }
    return least;
}

/* v2: cpu.max holds "quota period" or "max period"; v1 has a file for each, quota -1 for none. */
static double quota_here(const struct place *pl)
{
    double quota = -1, period = 0;
    FILE *f = open_file(pl, pl->v2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (!f)
        return 0;
    int n = fscanf(f, "%lf %lf", &quota, &period);
    fclose(f);
    if (!pl->v2) {
        uint64_t p = read_number(pl, "cpu.cfs_period_us");
        period = p == UINT64_MAX ? 0 : (double)p;
    }
    return n >= 1 && quota > 0 && period > 0 ? quota / period : 0;
}

double cgroup_cpu_quota(const char *root)
{
    double least = 0;
    for (int v2 = 0; v2 < 2; v2++) {
        struct place pl;
        find_place(root, "cpu", v2, &pl);
        if (!pl.found)
            continue;
        do {
            double q = quota_here(&pl);
            if (q > 0 && (least == 0 || q < least))
                least = q;
        } while (go_up(&pl));
    }
    return least;
}
