/* Touches one path per kind of access, each below /p. What a call answers
   is not looked at, but where a later one needs it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void *in_thread(void *path) {
  close(open(path, O_RDONLY));
  return 0;
}

static void child(void (*body)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  waitpid(pid, 0, 0);
}

static void in_fork(void) { close(open("/p/fork", O_RDONLY)); }

static void in_chroot(void) {
  chdir("/p/dir");
  chroot("/p/jail");
  close(open("/inner", O_RDONLY));
  close(open("/absolute", O_RDONLY));
  close(open("/../../clamped", O_RDONLY));
  close(open("outside", O_RDONLY));
}

static void as_user(void) {
  setgid(33);
  setuid(33);
  close(open("/p/secret", O_RDONLY));
  close(open("/p/readable", O_RDONLY));
  close(open("/p/closed/file", O_RDONLY));
  close(open("/p/readable-created", O_WRONLY | O_CREAT, 0600));
  struct stat s;
  stat("/p/closed/stat", &s);
}

static void execute(void) {
  char *argv[] = {"argument zero", "one", 0}, *env[] = {0};
  int fd = open("/p/fexecve", O_RDONLY);
  fexecve(fd, argv, env);
}
static void script(void) {
  char *argv[] = {"script", 0}, *env[] = {0};
  execve("/p/script", argv, env);
}
static void lame(void) {
  char *argv[] = {"lame", 0}, *env[] = {0};
  execve("/p/lame", argv, env);
  execve("/p/no-program", argv, env);
  execve("/p/readable", argv, env);
}
static void setuid_helper(void) {
  setgid(33);
  setuid(33);
  char *argv[] = {"/p/helper", "helper", 0}, *env[] = {0};
  execve("/p/helper", argv, env);
}

static volatile int handled;
static void handler(int signal) { handled += signal; }

static void name(struct sockaddr_un *to, const char *path) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  strcpy(to->sun_path, path);
}

int main(int argc, char **argv) {
  struct stat s;
  char buffer[4096];
  if (argc > 1 && !strcmp(argv[1], "helper")) {
    /* Setuid root: may read what its user may not. */
    int fd = open("/p/secret-of-root", O_RDONLY);
    printf("helper %d %d %d\n", (int)getuid(), (int)geteuid(), fd >= 0);
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "many")) {
    int n = atoi(argv[2]), good = 0;
    for (int i = 0; i < n; i++) {
      sprintf(buffer, "/many/%d/%d", i / 200, i);
      int fd = open(buffer, O_RDONLY);
      good += fd >= 0 && read(fd, buffer, sizeof buffer) >= 0;
      close(fd);
    }
    printf("good %d\n", good);
    return 0;
  }
  close(open("/p/read", O_RDONLY));
  close(open("/p/path", O_PATH));
  close(open("/p/write", O_WRONLY));
  close(open("/p/both", O_RDWR));
  close(open("/p/truncated", O_WRONLY | O_TRUNC));
  close(creat("/p/created", 0644));
  close(open("/p/exists", O_RDONLY | O_CREAT, 0644));
  close(open("/p/dir/", O_RDONLY));
  close(open("/p/read/nothing", O_RDONLY));
  close(open("/p/nodir/x", O_RDONLY));
  stat("/p/stat", &s);
  stat("/p/no-stat", &s);
  lstat("/p/link", &s);
  access("/p/access", R_OK);
  access("/p/no-access", R_OK);
  syscall(SYS_faccessat, AT_FDCWD, "/p/faccessat", R_OK);
  syscall(SYS_faccessat2 /* 5.8 */, AT_FDCWD, "/p/faccessat2", R_OK, 0);
  struct statx sx;
  statx(AT_FDCWD, "/p/statx", 0, STATX_BASIC_STATS, &sx);
  readlink("/p/readlink", buffer, sizeof buffer);
  struct statfs sf;
  statfs("/p/statfs", &sf);
  getxattr("/p/getxattr", "user.x", buffer, sizeof buffer);
  listxattr("/p/listxattr", buffer, sizeof buffer);
  int watch = inotify_init();
  inotify_add_watch(watch, "/p/inotify", IN_MODIFY);
  DIR *dir = opendir("/p/listed");
  while (readdir(dir))
    ;
  int fd = dirfd(dir);
  close(openat(fd, "relative", O_RDONLY));
  close(openat(fd, "../up", O_RDONLY));
  fstatat(fd, "relative-stat", &s, 0);
  fstatat(fd, "", &s, AT_EMPTY_PATH);
  struct {
    uint64_t flags, mode, resolve;
  } how = {O_RDONLY, 0, 0};
  close(syscall(437, AT_FDCWD, "/p/openat2", &how, sizeof how));
  how.resolve = 0x10;
  close(syscall(437, fd, "/in-root", &how, sizeof how));
  chdir("/p/dir");
  close(open("here", O_RDONLY));
  close(open("./../there", O_RDONLY));
  close(open("none", O_RDONLY));
  /* Links: relative, absolute, to a directory, and back out of it. */
  close(open("/p/l1", O_RDONLY));
  close(open("/p/to-dir/through", O_RDONLY));
  close(open("/p/to-deep/../beside", O_RDONLY));
  close(open("/p/dangling", O_RDONLY));
  close(open("/p/loop", O_RDONLY));
  close(open("/p/nofollow", O_RDONLY | O_NOFOLLOW));
  /* Links of the kernel. */
  fd = open("/p/magic", O_RDONLY);
  sprintf(buffer, "/proc/self/fd/%d", fd);
  unlink("/p/magic-before");
  close(open(buffer, O_RDONLY));
  close(open("/proc/self/cwd/by-cwd", O_RDONLY));
  close(open("/proc/self/root/p/by-root", O_RDONLY));
  sprintf(buffer, "/dev/fd/%d", open("/p", O_PATH));
  strcat(buffer, "/by-dev-fd");
  close(open(buffer, O_RDONLY));
  /* Changes. */
  rename("/p/old", "/p/new");
  unlink("/p/unlinked");
  mkdir("/p/made", 0755);
  rmdir("/p/made-not");
  link("/p/linked", "/p/hard");
  symlink("anything", "/p/soft");
  chmod("/p/chmod", 0600);
  lchown("/p/chown", 1, 1);
  truncate("/p/truncate", 1);
  utimensat(AT_FDCWD, "/p/times", 0, 0);
  setxattr("/p/setxattr", "user.x", "1", 1, 0);
  mknod("/p/fifo", S_IFIFO | 0600, 0);
  fd = open("/p/fchmod", O_RDONLY);
  fchmod(fd, 0600);
  /* Sockets. */
  struct sockaddr_un to;
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  name(&to, "/p/socket");
  bind(server, (void *)&to, sizeof to);
  name(&to, "/p/no-socket");
  connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&to, sizeof to);
  name(&to, "/p/no-datagram");
  sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (void *)&to, sizeof to);
  /* A path that ends with its page. */
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  strcpy(page + 4096 - sizeof "/p/edge", "/p/edge");
  close(open(page + 4096 - sizeof "/p/edge", O_RDONLY));
  open((char *)8, O_RDONLY);
  open("", O_RDONLY);
#ifdef __x86_64__
  /* The table of 32-bit programs. */
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  strcpy(low, "/p/compat");
  int got;
  __asm__ volatile("int $0x80" : "=a"(got) : "a"(5), "b"((uint32_t)(uintptr_t)low), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
#endif
  /* Threads and processes. */
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) {
    char *path = malloc(64);
    sprintf(path, "/p/thread%d", i);
    pthread_create(&threads[i], 0, in_thread, path);
  }
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], 0);
  child(in_fork);
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/p/vfork", "vfork", "argument", NULL);
    _exit(1);
  }
  waitpid(pid, 0, 0);
  child(execute);
  child(script);
  child(lame);
  child(setuid_helper);
  child(as_user);
  /* Signals arrive. */
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  pid = fork();
  if (pid == 0) {
    raise(SIGSTOP);
    _exit(42);
  }
  int status;
  waitpid(pid, &status, WUNTRACED);
  int stopped = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
  kill(pid, SIGCONT);
  waitpid(pid, &status, 0);
  pid = fork();
  if (pid == 0) {
    kill(getpid(), SIGTERM);
    pause();
  }
  int killed;
  waitpid(pid, &killed, 0);
  errno = 0;
  syscall(425, 1, 0);
  printf("signals %d stopped %d exit %d killed %d ring %d\n", handled / SIGUSR1, stopped,
         WEXITSTATUS(status), WTERMSIG(killed), errno == ENOSYS || errno == EPERM);
  fflush(stdout);
  child(in_chroot);
  /* After that nothing is remembered any more. */
  close(open("/p/after", O_RDONLY));
  close(open("here-after", O_RDONLY));
  close(open("/p/to-dir/after", O_RDONLY));
  return 7;
}
