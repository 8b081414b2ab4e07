/* Says what the file system says: contents, identities, lists, whether a port below 1024 may be bound. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what) {
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int cat(const char *path) {
    FILE *file = fopen(path, "r");
    char buffer[4096];
    size_t count;
    if (!file) return fail(path);
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) fwrite(buffer, 1, count, stdout);
    return fclose(file);
}

static int list(const char *path) {
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0) return fail(path);
    for (int i = 0; i < count; i++) {
        for (char *c = names[i]->d_name; *c; c++) printf((unsigned char)*c < 127 && *c > 31 ? "%c" : "\\x%02x", (unsigned char)*c);
        printf("\n");
    }
    return 0;
}

static int status(const char *path) {
    struct stat s;
    if (lstat(path, &s)) return fail(path);
    struct passwd *user = getpwuid(s.st_uid);
    struct group *group = getgrgid(s.st_gid);
    printf("%o %s %s size %lld links %d time %lld\n", s.st_mode, user ? user->pw_name : "?", group ? group->gr_name : "?",
           S_ISDIR(s.st_mode) ? 0LL : (long long)s.st_size, S_ISDIR(s.st_mode) ? 0 : (int)s.st_nlink, (long long)s.st_mtime);
    return 0;
}

static int same(const char *one, const char *other) {
    struct stat a, b;
    if (stat(one, &a) || stat(other, &b)) return fail("stat");
    puts(a.st_ino == b.st_ino ? "same file" : "two files");
    return 0;
}

static int bind_port(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) return fail("bind");
    puts("bound");
    return 0;
}

static int spool(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return fail(path);
    fputs("x", file);
    fclose(file);
    puts("written");
    return unlink(path);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "cat")) return cat(argv[2]);
    if (!strcmp(what, "list")) return list(argv[2]);
    if (!strcmp(what, "status")) return status(argv[2]);
    if (!strcmp(what, "same")) return same(argv[2], argv[3]);
    if (!strcmp(what, "bind")) return bind_port(atoi(argv[2]));
    if (!strcmp(what, "write")) return spool(argv[2]);
    if (!strcmp(what, "run")) return execvp(argv[2], argv + 2), fail(argv[2]);
    if (!strcmp(what, "who")) {
        gid_t groups[64];
        int count = getgroups(64, groups);
        printf("uid %d euid %d gid %d egid %d groups", getuid(), geteuid(), getgid(), getegid());
        for (int i = 0; i < count; i++) printf(" %d", groups[i]);
        puts("");
        return 0;
    }
    puts("what?");
    return 2;
}
