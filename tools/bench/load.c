// SPDX-License-Identifier: Apache-2.0
// A load generator that is not the bottleneck: CONNECTIONS connections, each with one message of SIZE bytes under way
// (SIZE - 1 letters and a line feed); the next one leaves when the whole echo has come back.
// Usage: load PORT CONNECTIONS SIZE SECONDS        Prints: messages seconds
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, BUFFER = 1 << 20 };

struct connection {
    int fd;
    long echoed;  // bytes of the present message that have come back
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)) die("setsockopt");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SIZE SECONDS\n");
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]);
    long size = atol(argv[3]), messages = 0;
    double seconds = atof(argv[4]);
    char *message = malloc((size_t)size), *buffer = malloc(BUFFER);
    struct connection *connections = calloc((size_t)count, sizeof *connections);
    int poller = epoll_create1(0);
    if (!message || !buffer || !connections || poller < 0) die("set-up");
    memset(message, 'x', (size_t)size);
    message[size - 1] = '\n';

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = connect_to(port);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event)) die("epoll_ctl");
    }
    double start = now(), end = start + seconds;
    for (int i = 0; i < count; i++)
        if (write(connections[i].fd, message, (size_t)size) != size) die("write");
    while (now() < end) {
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_wait(poller, events, MAX_EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t got = read(c->fd, buffer, BUFFER);
            if (got <= 0) die("the server closed a connection");
            if ((c->echoed += got) < size) continue;
            c->echoed = 0;
            messages++;
            if (write(c->fd, message, (size_t)size) != size) die("write");
        }
    }
    printf("%ld %.6f\n", messages, now() - start);
    return 0;
}
