/* Storage that fails on command, for the tests: loaded into the database server alone.
 * A shared file of four integers says what fails:
 *   [0] bits: 1 no space for files below base/, 2 no space in pg_wal/, 4 fsync answers EIO
 *   [1] flushes to let pass before the one that fails; [2] flushes that failed so far
 *   [3] writes that failed for want of space */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int *control(void) {
    static volatile int *page;
    if (!page) {
        int fd = open(getenv("FAULT_CONTROL"), O_RDWR);
        if (fd < 0) abort();
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    return page;
}

static int is_below(int fd, const char *part) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

/* Whether a write that ends at `end` finds no space: what makes a file longer needs some. */
static int is_full(int fd, off_t end) {
    volatile int *say = control();
    struct stat now;
    if (!(say[0] & 3)) return 0;
    if (!((say[0] & 1 && is_below(fd, "/base/")) || (say[0] & 2 && is_below(fd, "/pg_wal/")))) return 0;
    if (fstat(fd, &now) == 0 && end <= now.st_size) return 0;
    __sync_fetch_and_add(&say[3], 1);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WHEN_FULL(end) if (is_full(fd, end)) { errno = ENOSPC; return -1; }

static off_t length_of(const struct iovec *parts, int count) {
    off_t whole = 0;
    for (int i = 0; i < count; i++) whole += parts[i].iov_len;
    return whole;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    WHEN_FULL(at + (off_t)n)
    return REAL(pwrite)(fd, bytes, n, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    WHEN_FULL(at + (off_t)n)
    return REAL(pwrite64)(fd, bytes, n, at);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    WHEN_FULL(at + length_of(parts, count))
    return REAL(pwritev)(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    WHEN_FULL(at + length_of(parts, count))
    return REAL(pwritev64)(fd, parts, count, at);
}
int posix_fallocate(int fd, off_t at, off_t n) {
    return is_full(fd, at + n) ? ENOSPC : REAL(posix_fallocate)(fd, at, n);
}
int posix_fallocate64(int fd, off64_t at, off64_t n) {
    return is_full(fd, at + n) ? ENOSPC : REAL(posix_fallocate64)(fd, at, n);
}

/* The flush that is counted fails once; the next ones succeed, as some disks behave. */
static int is_failing(void) {
    volatile int *say = control();
    if (!(say[0] & 4) || __sync_fetch_and_sub(&say[1], 1) != 0) return 0;
    __sync_fetch_and_add(&say[2], 1);
    errno = EIO;
    return 1;
}
int fsync(int fd) { return is_failing() ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_failing() ? -1 : REAL(fdatasync)(fd); }
