#include <iconv.h>
#include <stdio.h>
#include <string.h>
void answer(const char *argument, FILE *out) {
    char text[] = "gr\xc3\xbc\xc3\x9f e \xe6\x97\xa5\xe6\x9c\xac \xe2\x82\xac", result[256], *from = text, *to = result;
    size_t left = strlen(text), room = sizeof result;
    iconv_t cd = iconv_open(argument, "UTF-8");
    if (cd == (iconv_t)-1) { fprintf(out, "unknown\n"); return; }
    iconv(cd, &from, &left, &to, &room);
    iconv(cd, NULL, NULL, &to, &room);
    for (char *c = result; c < to; c++) fprintf(out, "%02x", (unsigned char)*c);
    fprintf(out, " %zu left\n", left);
    iconv_close(cd);
}
