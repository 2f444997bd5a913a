/* Counts the system calls of a program that change files, and disturbs one of them on order.
 *
 * Loaded with LD_PRELOAD by faults.py. Functions in the place of the C library's would not see all:
 * rustix, with which tempfile renames, makes its calls without that library. So before main the
 * kernel is asked (seccomp) to hand such calls to a signal handler here. The handler makes the call
 * itself, from the one place that the kernel lets through.
 *
 *   FAULTS_MODE  count                 do everything
 *                kill                  SIGKILL before call N
 *                torn                  half of the bytes of write N, then SIGKILL
 *                full                  a full disk from call N on: half of a write, then ENOSPC
 *                error                 EIO for call N
 *                stop                  SIGSTOP before call N; it is made when the process goes on
 *   FAULTS_AT    N, from 1
 *   FAULTS_LOG   a file that gets a line for each call: N, kind, path, second path (tabs between)
 *   FAULTS_KEEP  a folder that gets each file as it was when it took a name by rename, as file N
 *
 * Linux on x86-64.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if !defined(__linux__) || !defined(__x86_64__)
#error "faults.c knows Linux on x86-64 alone"
#endif

#define PATH_SIZE 4096

/* A system call, from the address that the filter lets through. Gives -errno as the kernel does. */
long faults_call(long number, long a, long b, long c, long d, long e, long f);
extern const char faults_call_end[];
__asm__(".text\n"
        ".globl faults_call\n"
        ".hidden faults_call\n"
        "faults_call:\n"
        "mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "mov %rdx, %rsi\n"
        "mov %rcx, %rdx\n"
        "mov %r8, %r10\n"
        "mov %r9, %r8\n"
        "mov 8(%rsp), %r9\n"
        "syscall\n"
        ".globl faults_call_end\n"
        ".hidden faults_call_end\n"
        "faults_call_end:\n"
        "ret\n");

#define CALL(number, a, b, c, d) \
    faults_call(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

enum kind { NOTHING, CREATE, OPEN, WRITE, RENAME, UNLINK, RMDIR, MKDIR, LINK, SYNC, RESIZE, COPY };
static const char *const NAMES[] = {"nothing", "create", "open",  "write", "rename", "unlink",
                                    "rmdir",   "mkdir",  "link",  "sync",  "resize", "copy"};

enum mode { COUNT, KILL, TORN, FULL, FAIL, STOP };
static const char *const MODES[] = {"count", "kill", "torn", "full", "error", "stop"};

static enum mode mode;
static long at, done;
static int log_file = -1;
static const char *keep;

/* A call as it was asked for, and what it would change. */
struct request {
    long number, args[6];
    enum kind kind;
    char path[PATH_SIZE], second[PATH_SIZE];
};

/* The path of an open file, or "". */
static void path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long length = CALL(SYS_readlinkat, AT_FDCWD, link, path, PATH_SIZE - 1);
    path[length < 0 ? 0 : length] = 0;
}

/* A path that may be relative to an open folder. */
static void path_at(int folder, const char *name, char *path) {
    path[0] = 0;
    if (folder != AT_FDCWD && name[0] != '/') {
        path_of(folder, path);
        strncat(path, "/", PATH_SIZE - strlen(path) - 1);
    }
    strncat(path, name, PATH_SIZE - strlen(path) - 1);
}

static int is_there(int folder, const char *name) {
    return CALL(SYS_faccessat, folder, name, F_OK, 0) == 0;
}

static int is_regular(int file) {
    struct stat about;
    return CALL(SYS_newfstatat, file, "", &about, AT_EMPTY_PATH) == 0 && S_ISREG(about.st_mode);
}

static enum kind of_open(struct request *call, int folder, const char *name, long flags) {
    path_at(folder, name, call->path);
    if (strncmp(call->path, "/dev/", 5) == 0 || strncmp(call->path, "/proc/", 6) == 0)
        return NOTHING;
    if ((flags & O_CREAT) && !is_there(folder, name))
        return CREATE;
    return (flags & (O_WRONLY | O_RDWR | O_TRUNC)) ? OPEN : NOTHING;
}

static enum kind of_file(struct request *call, int file, enum kind kind) {
    path_of(file, call->path);
    return kind == SYNC || is_regular(file) ? kind : NOTHING;
}

static enum kind of_names(struct request *call, int from, const char *name, int to,
                          const char *other, enum kind kind) {
    path_at(from, name, call->path);
    path_at(to, other, call->second);
    return kind;
}

static enum kind of_new(struct request *call, int folder, const char *name, enum kind kind) {
    path_at(folder, name, call->path);
    return is_there(folder, name) ? NOTHING : kind;
}

static enum kind of_old(struct request *call, int folder, const char *name, enum kind kind) {
    path_at(folder, name, call->path);
    return kind;
}

/* What a call changes, with its paths. */
static enum kind kind_of(struct request *call) {
    const long *a = call->args;
#define NAME(i) ((const char *)a[i])
    switch (call->number) {
    case SYS_open: return of_open(call, AT_FDCWD, NAME(0), a[1]);
    case SYS_openat: return of_open(call, (int)a[0], NAME(1), a[2]);
    case SYS_creat: return of_open(call, AT_FDCWD, NAME(0), O_CREAT | O_TRUNC | O_WRONLY);
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_pwritev2:
        return of_file(call, (int)a[0], WRITE);
    case SYS_rename: return of_names(call, AT_FDCWD, NAME(0), AT_FDCWD, NAME(1), RENAME);
    case SYS_renameat: case SYS_renameat2:
        return of_names(call, (int)a[0], NAME(1), (int)a[2], NAME(3), RENAME);
    case SYS_link: return of_names(call, AT_FDCWD, NAME(0), AT_FDCWD, NAME(1), LINK);
    case SYS_linkat: return of_names(call, (int)a[0], NAME(1), (int)a[2], NAME(3), LINK);
    case SYS_symlink: return of_new(call, AT_FDCWD, NAME(1), LINK);
    case SYS_symlinkat: return of_new(call, (int)a[1], NAME(2), LINK);
    case SYS_unlink: return of_old(call, AT_FDCWD, NAME(0), UNLINK);
    case SYS_rmdir: return of_old(call, AT_FDCWD, NAME(0), RMDIR);
    case SYS_unlinkat:
        return of_old(call, (int)a[0], NAME(1), a[2] & AT_REMOVEDIR ? RMDIR : UNLINK);
    case SYS_mkdir: return of_new(call, AT_FDCWD, NAME(0), MKDIR);
    case SYS_mkdirat: return of_new(call, (int)a[0], NAME(1), MKDIR);
    case SYS_fsync: case SYS_fdatasync: return of_file(call, (int)a[0], SYNC);
    case SYS_truncate: return of_old(call, AT_FDCWD, NAME(0), RESIZE);
    case SYS_ftruncate: case SYS_fallocate: return of_file(call, (int)a[0], RESIZE);
    case SYS_sendfile: return of_file(call, (int)a[0], COPY);
    case SYS_copy_file_range: return of_file(call, (int)a[2], COPY);
    default: return NOTHING;
    }
}

static long made(const struct request *call) {
    const long *a = call->args;
    return faults_call(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Half of a plain write; what else writes is not cut. */
static long half(const struct request *call) {
    struct request less = *call;
    if (call->number != SYS_write || call->args[2] < 2)
        return -ENOSPC;
    less.args[2] /= 2;
    return made(&less);
}

static void send_self(int number) {
    CALL(SYS_kill, CALL(SYS_getpid, 0, 0, 0, 0), number, 0, 0);
}

/* Whether a call needs space, which a full disk has not. */
static int needs_space(enum kind kind) {
    return kind != UNLINK && kind != RMDIR && kind != OPEN;
}

/* A file that has just taken its name, kept as it is under the number of the call. */
static void keep_file(long number, const struct request *call) {
    char name[PATH_SIZE];
    if (!keep || call->kind != RENAME)
        return;
    snprintf(name, sizeof name, "%s/%ld", keep, number);
    CALL(SYS_linkat, AT_FDCWD, call->second, AT_FDCWD, name);
}

static void note(long number, const struct request *call) {
    char line[2 * PATH_SIZE + 64];
    int length = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\n", number, NAMES[call->kind],
                          call->path, call->second);
    if (log_file >= 0)
        CALL(SYS_write, log_file, line, length, 0);
}

/* The answer to a call that changes something. */
static long answer(const struct request *call) {
    long number = __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    note(number, call);
    if (mode == FULL && number >= at && needs_space(call->kind))
        return number == at && call->kind == WRITE ? half(call) : -ENOSPC;
    if (number == at) {
        if (mode == FAIL)
            return -EIO;
        if (mode == TORN)
            half(call);
        if (mode == KILL || mode == TORN)
            send_self(SIGKILL);
        if (mode == STOP)
            send_self(SIGSTOP);
    }
    long result = made(call);
    if (result == 0)
        keep_file(number, call);
    return result;
}

static void handler(int number, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct request call = {.number = info->si_syscall};
    const long args[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    (void)number;
    memcpy(call.args, args, sizeof args);
    call.kind = kind_of(&call);
    r[REG_RAX] = call.kind == NOTHING ? made(&call) : answer(&call);
}

/* The calls that come to the handler whatever their arguments. */
static const int CALLS[] = {
    SYS_creat, SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2, SYS_rename,
    SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat, SYS_symlink, SYS_symlinkat, SYS_unlink,
    SYS_unlinkat, SYS_rmdir, SYS_mkdir, SYS_mkdirat, SYS_fsync, SYS_fdatasync, SYS_truncate,
    SYS_ftruncate, SYS_fallocate, SYS_sendfile, SYS_copy_file_range};

/* Asks the kernel for SIGSYS at each of these calls, and at open and openat for writing. */
static int install(void) {
    enum { COUNT_OF = sizeof CALLS / sizeof *CALLS };
    const uint32_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    const uint64_t place = (uint64_t)(uintptr_t)faults_call_end;
    struct sock_filter code[16 + 2 * COUNT_OF];
    unsigned short n = 0;
#define ADD(...) code[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(field) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field)))
#define RETURN(what) ADD(BPF_STMT(BPF_RET | BPF_K, what))
#define TEST(how, value, yes, no) ADD(BPF_JUMP(BPF_JMP | (how) | BPF_K, value, yes, no))
    /* Calls from faults_call go through. */
    LOAD(instruction_pointer);
    TEST(BPF_JEQ, (uint32_t)place, 0, 3);
    ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4));
    TEST(BPF_JEQ, (uint32_t)(place >> 32), 0, 1);
    RETURN(SECCOMP_RET_ALLOW);
    LOAD(nr);
    for (int i = 0; i < COUNT_OF; i++) {
        TEST(BPF_JEQ, (uint32_t)CALLS[i], 0, 1);
        RETURN(SECCOMP_RET_TRAP);
    }
    TEST(BPF_JEQ, SYS_open, 0, 2);
    LOAD(args[1]);
    TEST(BPF_JSET, writes, 3, 4);
    TEST(BPF_JEQ, SYS_openat, 0, 3);
    LOAD(args[2]);
    TEST(BPF_JSET, writes, 0, 1);
    RETURN(SECCOMP_RET_TRAP);
    RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static enum mode mode_named(const char *name) {
    for (int i = COUNT; i <= STOP; i++)
        if (name && strcmp(name, MODES[i]) == 0)
            return (enum mode)i;
    return COUNT;
}

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("FAULTS_LOG"), *number = getenv("FAULTS_AT");
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    mode = mode_named(getenv("FAULTS_MODE"));
    at = number ? atol(number) : 0;
    keep = getenv("FAULTS_KEEP");
    if (log)
        log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    /* From here on a child is not disturbed. */
    unsetenv("LD_PRELOAD");
    if (sigaction(SIGSYS, &action, NULL) != 0 || !install()) {
        fputs("faults.c: the kernel does not take the filter\n", stderr);
        _exit(125);
    }
}
