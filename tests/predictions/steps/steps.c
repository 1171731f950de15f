/* Dies by SIGKILL before the n-th change of a file below a folder, whatever thread or library makes it.
 *
 * Loaded by LD_PRELOAD. `steps_arm(folder, n, log)` starts the count: each change is a line in the file descriptor `log`,
 * and the process is gone before the n-th happens (n = 0: never). Paths that hold "lockgate.db" are not counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[4096];
static atomic_long taken;
static long fatal;
static int log_to = -1;

void steps_arm(const char *below, long n, int log) {
    strncpy(folder, below, sizeof folder - 1);
    atomic_store(&taken, 0);
    fatal = n;
    log_to = log;
}

static void step(const char *what, const char *path) {
    char line[4200];
    if (log_to < 0 || path == NULL || strncmp(path, folder, strlen(folder)) != 0 || strstr(path, "lockgate.db")) return;
    long number = atomic_fetch_add(&taken, 1) + 1;
    int size = snprintf(line, sizeof line, "%s %s\n", what, path + strlen(folder));
    syscall(1, log_to, line, size); /* write, not through ourselves */
    if (number == fatal) kill(getpid(), SIGKILL);
}

static void step_of(const char *what, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return;
    path[size] = 0;
    step(what, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC))

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        int mode = va_arg(more, int);                                           \
        va_end(more);                                                           \
        if (CHANGES(flags)) step("create", path);                               \
        return REAL(name)(path, flags, mode);                                   \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                            \
    int name(int at, const char *path, int flags, ...) {                        \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        int mode = va_arg(more, int);                                           \
        va_end(more);                                                           \
        if (CHANGES(flags)) step("create", path);                               \
        return REAL(name)(at, path, flags, mode);                               \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int file, const void *body, size_t size) { step_of("write", file); return REAL(write)(file, body, size); }
ssize_t writev(int file, const struct iovec *parts, int n) { step_of("write", file); return REAL(writev)(file, parts, n); }
ssize_t pwrite(int file, const void *body, size_t size, off_t at) { step_of("write", file); return REAL(pwrite)(file, body, size, at); }
ssize_t pwrite64(int file, const void *body, size_t size, off64_t at) { step_of("write", file); return REAL(pwrite64)(file, body, size, at); }
int ftruncate(int file, off_t size) { step_of("cut", file); return REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { step_of("cut", file); return REAL(ftruncate64)(file, size); }
int rename(const char *from, const char *to) { step("rename", to); return REAL(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) { step("rename", to); return REAL(renameat)(a, from, b, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned f) { step("rename", to); return REAL(renameat2)(a, from, b, to, f); }
int link(const char *from, const char *to) { step("link", to); return REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int f) { step("link", to); return REAL(linkat)(a, from, b, to, f); }
int unlink(const char *path) { step("unlink", path); return REAL(unlink)(path); }
int unlinkat(int at, const char *path, int f) { step("unlink", path); return REAL(unlinkat)(at, path, f); }
int mkdir(const char *path, mode_t mode) { step("mkdir", path); return REAL(mkdir)(path, mode); }
