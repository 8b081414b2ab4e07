#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *wait(void *x) { for (;;) pause(); return x; }
void answer(const char *argument, FILE *out) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, wait, NULL);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    fprintf(out, "%s\n", result == PTHREAD_CANCELED ? "cancelled" : "?");
}
