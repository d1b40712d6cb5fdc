// SPDX-License-Identifier: Apache-2.0
// A load generator that is not the bottleneck: PEERS sockets, each with one message of SIZE bytes under way
// (SIZE - 1 letters and a line feed); the next one leaves when the whole echo has come back.
// Usage: load tcp|udp PORT PEERS SIZE SECONDS
//        load unix PATH PEERS SIZE SECONDS     (datagrams; the sockets are bound to PATH.0, PATH.1, ...)
// Prints: messages seconds
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, BUFFER = 1 << 20 };

struct peer {
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

static int connect_inet(int kind, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int one = 1, fd = socket(AF_INET, kind, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    if (kind == SOCK_STREAM && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)) die("setsockopt");
    return fd;
}

static int connect_unix(const char *path, int number) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}, own = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(own.sun_path, sizeof own.sun_path, "%s.%d", path, number);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own)) die("bind");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    return fd;
}

static int connect_to(const char *kind, const char *where, int number) {
    if (!strcmp(kind, "unix")) return connect_unix(where, number);
    return connect_inet(strcmp(kind, "udp") ? SOCK_STREAM : SOCK_DGRAM, where);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: load tcp|udp|unix PORT|PATH PEERS SIZE SECONDS\n");
        return 2;
    }
    int count = atoi(argv[3]);
    long size = atol(argv[4]), messages = 0;
    double seconds = atof(argv[5]);
    char *message = malloc((size_t)size), *buffer = malloc(BUFFER);
    struct peer *peers = calloc((size_t)count, sizeof *peers);
    int poller = epoll_create1(0);
    if (!message || !buffer || !peers || poller < 0) die("set-up");
    memset(message, 'x', (size_t)size);
    message[size - 1] = '\n';

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        peers[i].fd = connect_to(argv[1], argv[2], i);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, peers[i].fd, &event)) die("epoll_ctl");
    }
    double start = now(), end = start + seconds;
    for (int i = 0; i < count; i++)
        if (write(peers[i].fd, message, (size_t)size) != size) die("write");
    while (now() < end) {
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_wait(poller, events, MAX_EVENTS, 1000);
        if (!ready) {
            fprintf(stderr, "load: no answer for a second\n");
            return 1;
        }
        for (int i = 0; i < ready; i++) {
            struct peer *p = events[i].data.ptr;
            ssize_t got = read(p->fd, buffer, BUFFER);
            if (got <= 0) die("the server closed a connection");
            if ((p->echoed += got) < size) continue;
            p->echoed = 0;
            messages++;
            if (write(p->fd, message, (size_t)size) != size) die("write");
        }
    }
    printf("%ld %.6f\n", messages, now() - start);
    return 0;
}
