#define _GNU_SOURCE
#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wctype.h>
void answer(const char *argument, FILE *out) {
    locale_t locale = newlocale(LC_ALL_MASK, argument, NULL);
    if (!locale) { fprintf(out, "no such locale\n"); return; }
    time_t then = 1700000000;
    struct tm tm;
    char text[100];
    gmtime_r(&then, &tm);
    strftime_l(text, sizeof text, "%A %d %B %Y %x", &tm, locale);
    fprintf(out, "%s|%s|%s|%d\n", text, nl_langinfo_l(CODESET, locale), nl_langinfo_l(YESEXPR, locale), (int)towupper_l('i', locale));
    fprintf(out, "%s\n", strerror_l(2, locale));
    freelocale(locale);
}
