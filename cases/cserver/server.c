/* An HTTP server in C: every request is answered by the plugin that its path names; plugins are whatever the directory holds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void (*answer_t)(const char *argument, FILE *out);
static struct plugin { char name[64]; answer_t answer; } plugins[64];
static int count;

static void load(void) {
    const char *folder = getenv("PLUGINS");
    DIR *dir = opendir(folder ? folder : "/usr/local/lib/server");
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) && count < 64) {
        char path[512], *dot = strstr(entry->d_name, ".so");
        if (!dot) continue;
        snprintf(path, sizeof path, "%s/%s", folder ? folder : "/usr/local/lib/server", entry->d_name);
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        answer_t answer = handle ? (answer_t)dlsym(handle, "answer") : NULL;
        if (!answer) { fprintf(stderr, "%s: %s\n", path, dlerror()); continue; }
        snprintf(plugins[count].name, sizeof plugins[count].name, "%.*s", (int)(dot - entry->d_name), entry->d_name);
        plugins[count++].answer = answer;
    }
    if (dir) closedir(dir);
    fprintf(stderr, "%d plugins\n", count);
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void *serve(void *given) {
    int fd = (int)(long)given;
    char line[2048] = {0}, path[1024] = {0}, *body = NULL;
    size_t size = 0, used = 0;
    ssize_t got;
    while (used < sizeof line - 1 && !strstr(line, "\r\n\r\n") && (got = read(fd, line + used, sizeof line - 1 - used)) > 0) used += got;
    sscanf(line, "%*s /%1000[^ ]", path);
    char *argument = strchr(path, '/');
    if (argument) *argument++ = 0;
    FILE *out = open_memstream(&body, &size);
    int status = 404;
    if (!*path) {
        status = 200;
        for (int i = 0; i < count; i++) fprintf(out, "<a href=\"/%s/\">%s</a>\n", plugins[i].name, plugins[i].name);
    }
    for (int i = 0; i < count; i++)
        if (!strcmp(plugins[i].name, path)) { status = 200; plugins[i].answer(argument ? argument : "", out); }
    fclose(out);
    dprintf(fd, "HTTP/1.1 %d X\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, size);
    for (size_t done = 0; done < size && (got = write(fd, body + done, size - done)) > 0; done += got);
    free(body);
    shutdown(fd, SHUT_WR);
    while (read(fd, line, sizeof line) > 0);
    close(fd);
    return NULL;
}

static void *watch(void *set) {
    for (int number; !sigwait(set, &number);) {
        if (number == SIGHUP) { count = 0; load(); qsort(plugins, count, sizeof *plugins, compare); continue; }
        fprintf(stderr, "ending\n");
        exit(0);
    }
    return NULL;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (argc > 1 && !strcmp(argv[1], "--check")) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return connect(fd, (struct sockaddr *)&address, sizeof address) != 0;
    }
    if (argc > 2) {
        load();
        for (int i = 0; i < count; i++) if (!strcmp(plugins[i].name, argv[1])) return plugins[i].answer(argv[2], stdout), 0;
        return 3;
    }
    static sigset_t set;
    sigemptyset(&set); sigaddset(&set, SIGTERM); sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t thread;
    load();
    qsort(plugins, count, sizeof *plugins, compare);
    pthread_create(&thread, NULL, watch, &set);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16)) return perror("listen"), 1;
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0 && !pthread_create(&thread, NULL, serve, (void *)(long)client)) pthread_detach(thread);
    }
}
