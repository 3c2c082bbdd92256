/*
 * A target is one file with
 *
 *     int fuzz_one(const uint8_t *p, size_t n);       returns 0; asserts what must hold
 *
 * `make fuzz` links it with libFuzzer. Otherwise it is a program that takes files and directories
 * and runs each file as it is, cut at 32 places and with 128 bits flipped (a large one only as
 * it is): tests/cmd/fuzz.t.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fuzz_one(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    return fuzz_one(p, n);
}

static char fuzz_path[4096];

static inline void fuzz_remove(void)
{
    unlink(fuzz_path);
}

/* The name of a file that holds the bytes, for readers that want one. */
static inline const char *fuzz_file(const uint8_t *p, size_t n)
{
    static int fd = -1;
    if (fd < 0) {
        /* memory where there is a file system of it: thousands of files are written */
        const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
        snprintf(fuzz_path, sizeof fuzz_path, "%s/quern-fuzz.XXXXXX", dir ? dir : "/tmp");
        fd = mkstemp(fuzz_path);
        assert(fd >= 0);
        atexit(fuzz_remove);
    }
    /* cut after writing: ext4 writes a file to the disk when it was cut to nothing before */
    assert(pwrite(fd, p, n, 0) == (ssize_t)n);
    assert(ftruncate(fd, (off_t)n) == 0);
    return fuzz_path;
}

#ifdef FUZZ_REPLAY

enum { MAX_BYTES = 1 << 20, LARGE_BYTES = 1 << 16 };

/* In a block of its own size, so that a sanitizer sees a byte too far. */
static void fuzz_exact(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert(copy);
    memcpy(copy, p, n);
    fuzz_one(copy, n);
    free(copy);
}

static void fuzz_variants(uint8_t *p, size_t n)
{
    uint32_t x = 1;
    fuzz_exact(p, n);
    if (n > LARGE_BYTES)
        return;
    for (size_t i = 0; i < 32 && i < n; i++)
        fuzz_exact(p, n * i / 32);
    for (int i = 0; i < 128 && n; i++) {
        x = x * 1664525u + 1013904223u;
        /* every other one near the start, where headers are */
        size_t range = i % 2 && n > 256 ? 256 : n, at = (x >> 8) % range;
        uint8_t bit = (uint8_t)(1u << (x >> 5 & 7));
        p[at] ^= bit;
        fuzz_exact(p, n);
        p[at] ^= bit;
    }
}

static void fuzz_replay(const char *path)
{
    DIR *d = opendir(path);
    if (d) {
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            char name[4096];
            snprintf(name, sizeof name, "%s/%s", path, e->d_name);
            if (e->d_name[0] != '.')
                fuzz_replay(name);
        }
        closedir(d);
        return;
    }
    static uint8_t bytes[MAX_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    fuzz_variants(bytes, n);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        fuzz_replay(argv[i]);
    return 0;
}

#endif
#endif
