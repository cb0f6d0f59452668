/* System calls that fail, do less than they are asked for, or are the last: preloaded into a process by faults.py.

   Counted are the calls that create, change, name or remove a file below one folder; the one of a given number has the
   fault. Before faults_arm all calls go through. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, FAIL, SHORT, KILL };

static char folder[PATH_MAX];
static int kind = NONE;
static long at = -1, count = 0;

void faults_arm(const char *below, int what, long number) {
    snprintf(folder, sizeof folder, "%s", below);
    kind = what;
    at = number;
    count = 0;
}

long faults_count(void) { return count; }

static int concerns(const char *path) {
    char whole[PATH_MAX * 2];
    if (folder[0] == 0 || path == NULL) return 0;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char here[PATH_MAX];
        if (getcwd(here, sizeof here) == NULL) return 0;
        snprintf(whole, sizeof whole, "%s/%s", here, path);
    }
    return strncmp(whole, folder, strlen(folder)) == 0;
}

static int concerns_at(int where, const char *path) {
    char name[64], whole[PATH_MAX * 2];
    if (folder[0] == 0 || path == NULL || path[0] == '/' || where == AT_FDCWD) return concerns(path);
    snprintf(name, sizeof name, "/proc/self/fd/%d", where);
    ssize_t size = readlink(name, whole, PATH_MAX);
    if (size < 0) return 0;
    snprintf(whole + size, sizeof whole - size, "/%s", path);
    return concerns(whole);
}

static int concerns_file(int descriptor) {
    char name[64], path[PATH_MAX];
    if (folder[0] == 0) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return concerns(path);
}

/* Which fault the call that begins now has; it does not return from the last one. Only a write can be short. */
static int faulty(int writes) {
    if (kind == SHORT && !writes) return NONE;
    if (__sync_add_and_fetch(&count, 1) != at) return NONE;
    if (kind == KILL) kill(getpid(), SIGKILL);
    return kind;
}

#define NEXT(type, name, ...)                                  \
    static type (*next)(__VA_ARGS__) = NULL;                   \
    if (next == NULL) next = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int refuse(int number) {
    errno = number;
    return -1;
}

#define OPEN(function)                                                             \
    int function(const char *path, int flags, ...) {                               \
        NEXT(int, #function, const char *, int, ...);                              \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode_t mode = va_arg(rest, mode_t);                                        \
        va_end(rest);                                                              \
        if ((flags & (O_CREAT | O_TRUNC)) && concerns(path) && faulty(0) == FAIL)  \
            return refuse(ENOSPC);                                                 \
        return next(path, flags, mode);                                            \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function)                                                           \
    int function(int where, const char *path, int flags, ...) {                    \
        NEXT(int, #function, int, const char *, int, ...);                         \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode_t mode = va_arg(rest, mode_t);                                        \
        va_end(rest);                                                              \
        if ((flags & (O_CREAT | O_TRUNC)) && concerns_at(where, path) && faulty(0) == FAIL) \
            return refuse(ENOSPC);                                                 \
        return next(where, path, flags, mode);                                     \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int descriptor, const void *content, size_t size) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    if (size > 0 && concerns_file(descriptor)) {
        int fault = faulty(1);
        if (fault == FAIL) return refuse(ENOSPC);
        if (fault == SHORT && size > 1) size /= 2;
    }
    return next(descriptor, content, size);
}

#define ON_FILE(function, number, parameters, types, arguments)                              \
    int function parameters {                                                                \
        NEXT(int, #function, types);                                                         \
        if (concerns_file(descriptor) && faulty(0) == FAIL) return refuse(number);           \
        return next arguments;                                                               \
    }
#define TYPES(...) __VA_ARGS__
ON_FILE(fsync, EIO, (int descriptor), TYPES(int), (descriptor))
ON_FILE(ftruncate, EIO, (int descriptor, off_t size), TYPES(int, off_t), (descriptor, size))
ON_FILE(ftruncate64, EIO, (int descriptor, off64_t size), TYPES(int, off64_t), (descriptor, size))

int posix_fallocate64(int descriptor, off64_t offset, off64_t size) {
    NEXT(int, "posix_fallocate64", int, off64_t, off64_t);
    if (concerns_file(descriptor) && faulty(0) == FAIL) return ENOSPC;
    return next(descriptor, offset, size);
}

#define ON_PATH(function, number, path, parameters, types, arguments)        \
    int function parameters {                                                \
        NEXT(int, #function, types);                                         \
        if (concerns(path) && faulty(0) == FAIL) return refuse(number);      \
        return next arguments;                                               \
    }
ON_PATH(rename, EIO, to, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
ON_PATH(link, EIO, to, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
ON_PATH(unlink, EIO, path, (const char *path), TYPES(const char *), (path))
ON_PATH(mkdir, ENOSPC, path, (const char *path, mode_t mode), TYPES(const char *, mode_t), (path, mode))
ON_PATH(rmdir, EIO, path, (const char *path), TYPES(const char *), (path))
ON_PATH(renameat2, EIO, to, (int one, const char *from, int other, const char *to, unsigned int flags),
        TYPES(int, const char *, int, const char *, unsigned int), (one, from, other, to, flags))
ON_PATH(linkat, EIO, to, (int one, const char *from, int other, const char *to, int flags),
        TYPES(int, const char *, int, const char *, int), (one, from, other, to, flags))

int unlinkat(int where, const char *path, int flags) {
    NEXT(int, "unlinkat", int, const char *, int);
    if (concerns_at(where, path) && faulty(0) == FAIL) return refuse(EIO);
    return next(where, path, flags);
}
