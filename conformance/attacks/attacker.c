/* What a hostile process in a container does. Each verb prints one line for each thing that it got.
 *
 *   offer PATH SOCKET        opens PATH and hands its descriptor to who connects
 *   take SOCKET FILE         takes such a descriptor, waits until FILE is there, then tries to change what it stands for
 *   change PATH              tries to change PATH
 *   chase SECONDS MARK       looks at every process that comes by, until it is told to end: its program, root, cwd and
 *                            descriptors; MARK is a path that only the node has
 *   sockets                  tries address families by socket(2), and by the socketcall(2) of 32-bit programs
 *   wait                     does nothing, under whatever name and with whatever words
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result) {
  if (result >= 0) printf("CHANGED %s\n", what);
  else printf("refused %s: %s\n", what, strerror(errno));
  fflush(stdout);
}

/* All that changes a file or its inode, by a path to it. */
static void change(const char *path) {
  struct { const char *name; int flags; } modes[] = {{"write", O_WRONLY}, {"read and write", O_RDWR}, {"append", O_WRONLY | O_APPEND}, {"truncating open", O_WRONLY | O_TRUNC}};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
    int fd = open(path, modes[i].flags | O_NONBLOCK | O_CLOEXEC);
    say(modes[i].name, fd);
    if (fd >= 0) close(fd);
  }
  say("truncate", truncate(path, 1));
  say("chmod", chmod(path, 0));
  say("chown", chown(path, 12345, 12345));
  say("setxattr", setxattr(path, "user.x", "x", 1, 0));
  struct timespec times[2] = {{1, 0}, {1, 0}};
  say("utimes", utimensat(AT_FDCWD, path, times, 0));
  unsigned long attr[4] = {0, 1 /* MOUNT_ATTR_RDONLY */, 0, 0};
  say("mount_setattr", syscall(442, AT_FDCWD, path, 0, attr, sizeof attr));
  say("remount", mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL));
  int clone = syscall(428 /* open_tree */, AT_FDCWD, path, 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
  if (clone >= 0 && syscall(442, clone, "", AT_EMPTY_PATH, attr, sizeof attr) == 0) {
    char through[64];
    snprintf(through, sizeof through, "/proc/self/fd/%d", clone);
    say("write through a clone of the mount", open(through, O_WRONLY | O_CLOEXEC));
  }
  int fd = open(path, O_PATH | O_CLOEXEC);
  unlink("/tmp/linked");
  say("link", fd < 0 ? fd : linkat(fd, "", AT_FDCWD, "/tmp/linked", AT_EMPTY_PATH));
  say("link by proc", linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/linked", AT_SYMLINK_FOLLOW));
}

static int socket_at(const char *path, int listening) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening) {
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1)) return perror("listen"), -1;
    return accept(fd, NULL, NULL);
  }
  while (connect(fd, (struct sockaddr *)&address, sizeof address)) usleep(10000);
  return fd;
}

static int pass(int socket, int fd) {
  char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec io = {&byte, 1};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (fd < 0) {
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 1) return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
  }
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

static volatile sig_atomic_t told_to_end;

static void end(int signal) {
  (void)signal;
  told_to_end = 1;
}

/* A descriptor is kept for each program seen, and tried once the process has gone. */
static void chase(double seconds, const char *mark) {
  struct { dev_t dev; ino_t ino; int fd; char name[256]; } seen[256];
  int count = 0;
  struct timespec begun, now;
  char path[300], link[256], key[600];
  static char said[64][600];
  int told = 0;
  signal(SIGTERM, end);
  puts("chasing"), fflush(stdout);
  clock_gettime(CLOCK_MONOTONIC, &begun);
  do {
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
      int pid = atoi(entry->d_name);
      if (pid == 0 || pid == getpid()) continue;
      snprintf(path, sizeof path, "/proc/%d/exe", pid);
      int fd = open(path, O_PATH | O_CLOEXEC);
      struct stat stat;
      if (fd >= 0 && fstat(fd, &stat) == 0) {
        int known = 0;
        for (int i = 0; i < count; i++) known |= seen[i].dev == stat.st_dev && seen[i].ino == stat.st_ino;
        if (!known && count < 256) {
          ssize_t length = readlink(path, link, sizeof link - 1);
          link[length < 0 ? 0 : length] = 0;
          seen[count].dev = stat.st_dev, seen[count].ino = stat.st_ino, seen[count].fd = fd;
          strcpy(seen[count++].name, link);
          fd = -1;
        }
      }
      if (fd >= 0) close(fd);
      const char *ways[] = {"root", "cwd", "fd/0", "fd/1", "fd/2", "fd/3", "fd/4", "fd/5", "fd/6", "fd/7", "fd/8", "fd/9", "fd/10", "fd/11", "fd/12"};
      for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s%s", pid, ways[i], mark);
        if (access(path, F_OK)) continue;
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        ssize_t length = readlink(path, link, sizeof link - 1);
        link[length < 0 ? 0 : length] = 0;
        snprintf(key, sizeof key, "NODE by %s of %s", ways[i], link);
        int known = 0;
        for (int j = 0; j < told; j++) known |= !strcmp(said[j], key);
        if (!known && told < 64) strcpy(said[told++], key), puts(key), fflush(stdout);
      }
    }
    if (processes) closedir(processes);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (!told_to_end && now.tv_sec - begun.tv_sec + (now.tv_nsec - begun.tv_nsec) / 1e9 < seconds);
  for (int i = 0; i < count; i++) {
    printf("program %s\n", seen[i].name);
    snprintf(path, sizeof path, "/proc/self/fd/%d", seen[i].fd);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat stat, own;
    fstat(seen[i].fd, &stat);
    lstat("/", &own);
    if (fd >= 0 && stat.st_dev != own.st_dev) printf("WRITABLE %s\n", seen[i].name);
  }
  fflush(stdout);
}

/* By int 0x80, as a 32-bit program: the arguments must lie below 4 GB, as those of a static program do. */
static long socketcall(int family) {
  static unsigned arguments[3];
  long result = -ENOSYS;
  arguments[0] = family, arguments[1] = SOCK_SEQPACKET, arguments[2] = 0;
#ifdef __x86_64__
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102L), "b"(1L), "c"(arguments) : "memory", "r8", "r9", "r10", "r11");
#endif
  return result;
}

static void sockets(void) {
  for (int family = 0; family < 46; family++) {
    int fd = socket(family, SOCK_STREAM, 0);
    printf("socket %d: %s\n", family, fd >= 0 ? "open" : strerrorname_np(errno));
    if (fd >= 0) close(fd);
  }
  int families[] = {AF_INET, 38, 40};
  for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
    long result = socketcall(families[i]);
    printf("socketcall %d: %s\n", families[i], result >= 0 ? "open" : strerrorname_np(-result));
  }
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (!strcmp(verb, "offer")) {
    int fd = open(argv[2], O_PATH | O_CLOEXEC);
    if (fd < 0) return perror("open"), 1;
    if (pass(socket_at(argv[3], 1), fd)) return perror("send"), 1;
    puts("offered"), fflush(stdout);
    for (;;) pause();
  }
  if (!strcmp(verb, "take")) {
    int fd = pass(socket_at(argv[2], 0), -1);
    if (fd < 0) return perror("receive"), 1;
    puts("taken"), fflush(stdout);
    while (access(argv[3], F_OK)) usleep(10000);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    change(path);
    return 0;
  }
  if (!strcmp(verb, "wait")) for (;;) pause();
  if (!strcmp(verb, "sockets")) return sockets(), 0;
  if (!strcmp(verb, "change")) return change(argv[2]), 0;
  if (!strcmp(verb, "chase")) return chase(atof(argv[2]), argv[3]), 0;
  fprintf(stderr, "no verb %s\n", verb);
  return 2;
}
