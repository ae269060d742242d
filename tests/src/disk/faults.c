/* A disk that fails on demand, under the real binary: preloaded, it stands between the program and the C library for files
 * whose name contains ".db" (the database, its log, its index, its mark).
 *
 * The file that DISK_FAULTS names holds the fault as one word, read anew at each call:
 *   full           no file grows beyond the block that it ends in: a short write first, then ENOSPC
 *   sync-log       fsync and fdatasync of the write-ahead log fail with EIO
 *   sync-database  the same of the database itself
 * Anything else, or no file: the disk is well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define BLOCK 4096
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The end of a file's name matters: "-wal" is the log, ".db" the database. */
static int is_ours(int fd, const char *end) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || !strstr(name, ".db")) return 0;
    size_t wanted = strlen(end);
    return (size_t)length >= wanted && !strcmp(path + length - wanted, end);
}

static int told(const char *fault) {
    const char *path = getenv("DISK_FAULTS");
    int before = errno, fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char word[32] = {0};
    if (fd >= 0) {
        ssize_t length = read(fd, word, sizeof word - 1);
        if (length < 0) word[0] = 0;
        close(fd);
    }
    errno = before;
    return !strcmp(word, fault);
}

/* How much of a write fits; 0 when nothing does. */
static size_t room(int fd, size_t count, off_t offset) {
    struct stat file;
    if (!is_ours(fd, "") || !told("full") || fstat(fd, &file)) return count;
    off_t end = (file.st_size + BLOCK - 1) / BLOCK * BLOCK;
    if (offset >= end) return 0;
    return (off_t)count <= end - offset ? count : (size_t)(end - offset);
}

static int no_room(void) {
    errno = ENOSPC;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    size_t fits = is_ours(fd, "") ? room(fd, count, lseek(fd, 0, SEEK_CUR)) : count;
    return fits || !count ? REAL(write)(fd, bytes, fits) : no_room();
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    size_t fits = room(fd, count, offset);
    return fits || !count ? REAL(pwrite)(fd, bytes, fits, offset) : no_room();
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    size_t fits = room(fd, count, offset);
    return fits || !count ? REAL(pwrite64)(fd, bytes, fits, offset) : no_room();
}

int ftruncate(int fd, off_t size) {
    return size > 0 && !room(fd, 1, size - 1) ? no_room() : REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return size > 0 && !room(fd, 1, size - 1) ? no_room() : REAL(ftruncate64)(fd, size);
}

static int sync_fails(int fd) {
    if ((is_ours(fd, "-wal") && told("sync-log")) || (is_ours(fd, ".db") && told("sync-database"))) {
        errno = EIO;
        return 1;
    }
    return 0;
}

int fsync(int fd) {
    return sync_fails(fd) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd) {
    return sync_fails(fd) ? -1 : REAL(fdatasync)(fd);
}
