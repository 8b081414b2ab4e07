/* Reads every file below a directory at the start, then serves any of them: an index of documents. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned long files, bytes, sum;

static int visit(const char *path, const struct stat *s, int kind, struct FTW *ftw) {
    if (kind != FTW_F) return 0;
    char buffer[4096];
    FILE *file = fopen(path, "r");
    size_t count = file ? fread(buffer, 1, sizeof buffer, file) : 0;
    for (size_t i = 0; i < count; i++) sum += (unsigned char)buffer[i];
    if (file) fclose(file), files++, bytes += count;
    return 0;
}

static void end(int number) { _exit(0); }

int main(int argc, char **argv) {
    const char *root = argc > 1 ? argv[1] : "/srv/notes";
    if (nftw(root, visit, 16, FTW_PHYS)) { perror(root); return 1; }
    printf("%lu files, %lu bytes, sum %lu\n", files, bytes, sum);
    fflush(stdout);
    if (argc > 2) return files ? 0 : 2;
    signal(SIGTERM, end);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16)) return perror("listen"), 1;
    for (;;) {
        int client = accept(fd, NULL, NULL);
        char line[1024] = {0}, path[512] = {0}, name[1024], text[4096];
        if (client < 0 || read(client, line, sizeof line - 1) <= 0) { close(client); continue; }
        sscanf(line, "GET %500s", path);
        int status = 200, size = snprintf(text, sizeof text, "%lu files, sum %lu\n", files, sum);
        if (strcmp(path, "/") && !strstr(path, "..")) {
            snprintf(name, sizeof name, "/srv%s", path);
            FILE *file = fopen(name, "r");
            size = file ? fread(text, 1, sizeof text, file) : 0;
            status = file ? 200 : 404;
            if (file) fclose(file);
        }
        dprintf(client, "HTTP/1.1 %d X\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%.*s", status, size, size, text);
        shutdown(client, SHUT_WR);
        while (read(client, line, sizeof line) > 0);
        close(client);
    }
}
