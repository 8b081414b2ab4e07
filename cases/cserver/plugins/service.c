#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
void answer(const char *argument, FILE *out) {
    struct servent *service = getservbyname(argument, NULL);
    struct protoent *protocol = getprotobyname(argument);
    fprintf(out, "%d %d\n", service ? ntohs(service->s_port) : -1, protocol ? protocol->p_proto : -1);
}
