#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
void answer(const char *argument, FILE *out) {
    char name[200], text[100];
    time_t then = 1700000000;
    snprintf(name, sizeof name, "%s", argument);
    for (char *c = name; *c; c++) if (*c == '~') *c = '/';
    setenv("TZ", name, 1);
    tzset();
    strftime(text, sizeof text, "%F %T %Z %z", localtime(&then));
    fprintf(out, "%s\n", text);
}
