#define _GNU_SOURCE
#include <stdio.h>
void answer(const char *argument, FILE *out) {
    char line[200];
    FILE *pipe = popen("sort -r /usr/local/share/server/notes.txt | head -n 1", "r");
    while (pipe && fgets(line, sizeof line, pipe)) fputs(line, out);
    fprintf(out, "%d\n", pipe ? pclose(pipe) : -1);
}
