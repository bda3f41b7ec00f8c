/*
 * A disk that forgets, preloaded into a server: what no fsync has followed is undone when the power is cut.
 *
 *   POWERCUT_DIR    the folder that lies on that disk, as an absolute path without symbolic links
 *   POWERCUT_STASH  an empty folder on the same file system, outside of it: removed files wait here
 *   POWERCUT_SEED   0 to forget everything that can be forgotten; else a seed, and of each file a random number of the
 *                   latest changes is forgotten, as a disk may have written some of them by then
 *   POWERCUT_BROKEN while a file of this name exists, the disk is broken: fsync and fdatasync fail with EIO
 *   POWERCUT_FULL   while a file of this name exists, the disk is full: what would make a file longer fails with ENOSPC
 *
 * On SIGUSR2 the power is cut: everything is undone, and the process ends at once.
 *
 * What counts as durable is what POSIX promises, not what ext4 does beyond it: the content of a file after fsync or
 * fdatasync of it, a name (made, removed, renamed) after fsync of its folder. Memory that is mapped is not seen; SQLite
 * maps its -shm file only, which it makes anew after a crash.
 *
 * Every change and what is remembered of it happen under one lock, so that the order is the order in which they happened.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The C library's own function of the name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *stash, *full, *broken;
static size_t root_length;
static unsigned long seed;

/* A change of a file's content that can be undone: the bytes that were there, and the length that it had. */
struct change {
  struct change *older;
  off_t at, length_before;
  size_t size;
  char bytes[];
};

/* A file with changes that no fsync has followed, or that had some. */
struct file {
  struct file *next;
  dev_t dev;
  ino_t ino;
  /* Our own, for reading and writing. Never closed: that would drop the locks that the process has on the file. */
  int fd;
  struct change *latest;
};

/* A change of names. Undone: `made` is removed, `removed` is put back, from the stash or under its older name. */
struct name {
  struct name *older;
  ino_t folder;
  char *made, *removed, *kept;
};

static struct file *files;
static struct name *names;

static void fail(const char *what) {
  fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static int is_ours(const char *path) {
  return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/* The path that a descriptor stands for; 0 if it has none. */
static int path_of(int fd, char path[PATH_MAX]) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return 1;
}

/* The absolute path of `path` as seen from `folder`; 0 if it is not on our disk. */
static int resolve(int folder, const char *path, char out[PATH_MAX]) {
  char base[PATH_MAX];
  if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX && is_ours(out);
  if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base)) return 0;
  return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX && is_ours(out);
}

static ino_t folder_of(const char *path) {
  char folder[PATH_MAX];
  struct stat st;
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash && slash != folder) *slash = 0;
  return stat(folder, &st) == 0 ? st.st_ino : 0;
}

static int exists(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

/* ------------------------------------------------------------------------------------------------ remembering */

/* The file behind a descriptor, if it lies on our disk. */
static struct file *file_of(int fd, struct stat *st) {
  char path[PATH_MAX];
  if (!root || fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || !path_of(fd, path) || !is_ours(path)) return NULL;
  for (struct file *file = files; file; file = file->next)
    if (file->ino == st->st_ino && file->dev == st->st_dev) return file;
  struct file *file = calloc(1, sizeof *file);
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (!file || (file->fd = REAL(open)(link, O_RDWR | O_CLOEXEC)) < 0) fail("cannot open a file for undoing");
  file->dev = st->st_dev;
  file->ino = st->st_ino;
  file->next = files;
  files = file;
  return file;
}

/* Remembers `size` bytes at `at`, as far as the file goes, and its length. */
static void remember(struct file *file, const struct stat *st, off_t at, size_t size) {
  off_t there = at < st->st_size ? st->st_size - at : 0;
  if ((off_t)size > there) size = there;
  struct change *change = malloc(sizeof *change + size);
  if (!change) fail("no memory");
  if (size && pread(file->fd, change->bytes, size, at) != (ssize_t)size) fail("cannot read what is overwritten");
  *change = (struct change){file->latest, at, st->st_size, size};
  file->latest = change;
}

static void forget_changes(struct file *file) {
  while (file->latest) {
    struct change *change = file->latest;
    file->latest = change->older;
    free(change);
  }
}

static void remember_name(const char *made, const char *removed, char *kept) {
  struct name *name = calloc(1, sizeof *name);
  if (!name) fail("no memory");
  name->folder = folder_of(made ? made : removed);
  name->made = made ? strdup(made) : NULL;
  name->removed = removed ? strdup(removed) : NULL;
  name->kept = kept;
  name->older = names;
  names = name;
}

static void free_name(struct name *name) {
  if (name->kept && strncmp(name->kept, stash, strlen(stash)) == 0) REAL(unlink)(name->kept);
  free(name->made);
  free(name->removed);
  free(name->kept);
  free(name);
}

static void forget_names(ino_t folder) {
  for (struct name **at = &names; *at;) {
    struct name *name = *at;
    if (name->folder == folder) {
      *at = name->older;
      free_name(name);
    } else {
      at = &name->older;
    }
  }
}

/* Keeps the file under another name, so that removing this one can be undone. */
static char *keep(const char *path) {
  static unsigned long count;
  char *kept = NULL;
  if (asprintf(&kept, "%s/%lu", stash, count++) < 0 || REAL(link)(path, kept) != 0) fail("cannot keep a removed file");
  return kept;
}

/* ------------------------------------------------------------------------------------------------ the power cut */

static int remove_any(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
  (void)st, (void)kind, (void)ftw;
  return remove(path);
}

static void undo_changes(struct file *file) {
  size_t count = 0;
  for (struct change *change = file->latest; change; change = change->older) count++;
  size_t undone = seed ? (size_t)random() % (count + 1) : count;
  for (struct change *change = file->latest; change && undone; change = change->older, undone--) {
    if (change->size && REAL(pwrite)(file->fd, change->bytes, change->size, change->at) != (ssize_t)change->size)
      fail("cannot undo a write");
    if (REAL(ftruncate)(file->fd, change->length_before) != 0) fail("cannot undo a length");
  }
}

static void undo_name(const struct name *name) {
  if (name->made && name->removed && exists(name->made)) {
    if (REAL(rename)(name->made, name->removed) != 0) fail("cannot undo a rename");
  } else if (name->made && exists(name->made)) {
    if (nftw(name->made, remove_any, 16, FTW_DEPTH | FTW_PHYS) != 0) fail("cannot undo a new name");
  }
  const char *back = name->made && name->removed ? name->made : name->removed;
  if (name->kept && REAL(link)(name->kept, back) != 0 && errno != EEXIST) fail("cannot undo a removal");
}

/* A thread that touches a mapped file (SQLite's index of its log) which has just become shorter waits for the end here. */
static void wait_for_the_end(int signal) {
  (void)signal;
  for (;;) pause();
}

static void *wait_for_the_cut(void *signals) {
  struct sigaction wait = {.sa_handler = wait_for_the_end};
  int signal;
  sigwait(signals, &signal);
  pthread_mutex_lock(&lock);
  sigaction(SIGBUS, &wait, NULL);
  srandom(seed);
  for (struct file *file = files; file; file = file->next) undo_changes(file);
  for (struct name *name = names; name; name = name->older) undo_name(name);
  _exit(86);
}

__attribute__((constructor)) static void begin(void) {
  static sigset_t signals;
  pthread_t thread;
  root = getenv("POWERCUT_DIR");
  stash = getenv("POWERCUT_STASH");
  full = getenv("POWERCUT_FULL");
  broken = getenv("POWERCUT_BROKEN");
  if (getenv("POWERCUT_SEED")) seed = strtoul(getenv("POWERCUT_SEED"), NULL, 10);
  if (!root || !stash) return;
  root_length = strlen(root);
  /* Blocked here, so in every thread: the one below is the only one that takes it. */
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  if (pthread_create(&thread, NULL, wait_for_the_cut, &signals) != 0) fail("no thread");
  pthread_detach(thread);
}

/* ------------------------------------------------------------------------------------------------ contents */

/* Before a write of `size` bytes at `at`: remembers what it overwrites. False, with errno, if the disk is full. */
static int prepare(int fd, off_t at, size_t size) {
  struct stat st;
  struct file *file = file_of(fd, &st);
  if (!file) return 1;
  if (full && at + (off_t)size > st.st_size && exists(full)) {
    errno = ENOSPC;
    return 0;
  }
  remember(file, &st, at, size);
  return 1;
}

/* Where a write without a position goes. */
static off_t position(int fd) {
  struct stat st;
  if (fcntl(fd, F_GETFL) & O_APPEND && fstat(fd, &st) == 0) return st.st_size;
  return lseek(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; i++) size += parts[i].iov_len;
  return size;
}

/* Sockets and pipes are not held up by the lock. */
static int is_file(int fd) {
  struct stat st;
  return root && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

#define GUARDED(type, fd, at, size, call)        \
  do {                                           \
    if (!is_file(fd)) return call;               \
    pthread_mutex_lock(&lock);                   \
    type done = prepare(fd, at, size) ? call : -1; \
    int error = errno;                           \
    pthread_mutex_unlock(&lock);                 \
    errno = error;                               \
    return done;                                 \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t size) {
  GUARDED(ssize_t, fd, position(fd), size, REAL(write)(fd, bytes, size));
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  GUARDED(ssize_t, fd, at, size, REAL(pwrite)(fd, bytes, size, at));
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  GUARDED(ssize_t, fd, at, size, REAL(pwrite64)(fd, bytes, size, at));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  GUARDED(ssize_t, fd, position(fd), total(parts, count), REAL(writev)(fd, parts, count));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  GUARDED(ssize_t, fd, at, total(parts, count), REAL(pwritev)(fd, parts, count, at));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  GUARDED(ssize_t, fd, at, total(parts, count), REAL(pwritev64)(fd, parts, count, at));
}
/* A shorter file loses its end; a longer one is as a write of nothing. */
int ftruncate(int fd, off_t length) {
  GUARDED(int, fd, length, SSIZE_MAX, REAL(ftruncate)(fd, length));
}
int ftruncate64(int fd, off64_t length) {
  GUARDED(int, fd, length, SSIZE_MAX, REAL(ftruncate64)(fd, length));
}
int fallocate(int fd, int mode, off_t at, off_t size) {
  GUARDED(int, fd, at, size, REAL(fallocate)(fd, mode, at, size));
}
int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  GUARDED(int, fd, at, size, REAL(fallocate64)(fd, mode, at, size));
}
/* Returns an error number, so it is made of the one above. */
int posix_fallocate(int fd, off_t at, off_t size) { return fallocate(fd, 0, at, size) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t at, off64_t size) { return fallocate(fd, 0, at, size) == 0 ? 0 : errno; }

/* Whoever copies within the kernel is told to read and write instead. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags) {
  if (!is_file(out)) return REAL(copy_file_range)(in, in_at, out, out_at, size, flags);
  errno = EXDEV;
  return -1;
}
ssize_t sendfile(int out, int in, off_t *at, size_t size) {
  if (!is_file(out)) return REAL(sendfile)(out, in, at, size);
  errno = EINVAL;
  return -1;
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t size) {
  if (!is_file(out)) return REAL(sendfile64)(out, in, at, size);
  errno = EINVAL;
  return -1;
}

/* ------------------------------------------------------------------------------------------------ durability */

/* After a sync of the descriptor: what is behind it stays. */
static void settle(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return;
  if (S_ISDIR(st.st_mode)) {
    forget_names(st.st_ino);
    return;
  }
  struct file *file = S_ISREG(st.st_mode) ? file_of(fd, &st) : NULL;
  if (file) forget_changes(file);
}

#define SYNCED(fd, call)           \
  do {                             \
    if (!root) return call;        \
    pthread_mutex_lock(&lock);     \
    int done = call, error = errno; \
    if (done == 0) settle(fd);     \
    pthread_mutex_unlock(&lock);   \
    errno = error;                 \
    return done;                   \
  } while (0)

/* Instead of syncing, if the disk is broken. */
static int break_down(void) {
  if (!broken || !exists(broken)) return 0;
  errno = EIO;
  return 1;
}

int fsync(int fd) { SYNCED(fd, break_down() ? -1 : REAL(fsync)(fd)); }
int fdatasync(int fd) { SYNCED(fd, break_down() ? -1 : REAL(fdatasync)(fd)); }

/* ------------------------------------------------------------------------------------------------ names */

static int open_remembering(int folder, const char *path, int flags, mode_t mode) {
  int (*real)(int, const char *, int, ...) = REAL(openat);
  char whole[PATH_MAX];
  if (!(flags & (O_CREAT | O_TRUNC)) || !root || !resolve(folder, path, whole)) return real(folder, path, flags, mode);
  pthread_mutex_lock(&lock);
  int was_there = exists(whole), fd, error = 0;
  if (!was_there && full && exists(full)) {
    fd = -1;
    error = ENOSPC;
  } else {
    /* What O_TRUNC would take away is remembered first. */
    fd = real(folder, path, flags & ~O_TRUNC, mode);
    error = errno;
    if (fd >= 0 && !was_there) remember_name(whole, NULL, NULL);
    if (fd >= 0 && was_there && flags & O_TRUNC) {
      prepare(fd, 0, SSIZE_MAX);
      REAL(ftruncate)(fd, 0);
    }
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENS(folder, path, flags)                                         \
  do {                                                                     \
    va_list arguments;                                                     \
    va_start(arguments, flags);                                            \
    mode_t mode = mode_of(flags, arguments);                               \
    va_end(arguments);                                                     \
    return open_remembering(folder, path, flags, mode);                    \
  } while (0)

int open(const char *path, int flags, ...) { OPENS(AT_FDCWD, path, flags); }
int open64(const char *path, int flags, ...) { OPENS(AT_FDCWD, path, flags | O_LARGEFILE); }
int openat(int folder, const char *path, int flags, ...) { OPENS(folder, path, flags); }
int openat64(int folder, const char *path, int flags, ...) { OPENS(folder, path, flags | O_LARGEFILE); }
int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

#define NAMED(call, after)            \
  do {                                \
    int done = call, error = errno;   \
    if (done == 0) after;             \
    pthread_mutex_unlock(&lock);      \
    errno = error;                    \
    return done;                      \
  } while (0)

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  char old[PATH_MAX], new[PATH_MAX];
  if (!root || !resolve(from_folder, from, old) || !resolve(to_folder, to, new))
    return REAL(renameat2)(from_folder, from, to_folder, to, flags);
  pthread_mutex_lock(&lock);
  char *kept = exists(new) && !(flags & RENAME_NOREPLACE) ? keep(new) : NULL;
  NAMED(REAL(renameat2)(from_folder, from, to_folder, to, flags), remember_name(new, old, kept));
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  char new[PATH_MAX];
  if (!root || !resolve(to_folder, to, new)) return REAL(linkat)(from_folder, from, to_folder, to, flags);
  pthread_mutex_lock(&lock);
  NAMED(REAL(linkat)(from_folder, from, to_folder, to, flags), remember_name(new, NULL, NULL));
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *path, int flags) {
  char whole[PATH_MAX];
  if (!root || flags & AT_REMOVEDIR || !resolve(folder, path, whole) || !exists(whole))
    return REAL(unlinkat)(folder, path, flags);
  pthread_mutex_lock(&lock);
  char *kept = keep(whole);
  NAMED(REAL(unlinkat)(folder, path, flags), remember_name(NULL, whole, kept));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int mkdirat(int folder, const char *path, mode_t mode) {
  char whole[PATH_MAX];
  if (!root || !resolve(folder, path, whole)) return REAL(mkdirat)(folder, path, mode);
  pthread_mutex_lock(&lock);
  NAMED(REAL(mkdirat)(folder, path, mode), remember_name(whole, NULL, NULL));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
