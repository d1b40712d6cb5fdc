// SPDX-License-Identifier: Apache-2.0
// A load generator that is not the bottleneck: CONNECTIONS sockets, each with one batch of MESSAGES
// messages under way (SIZE - 1 letters and a line feed each), which leave in one write; the next
// batch leaves when all echoes have come back.
//
// Usage: load tcp|udp|unix-stream|unix-datagram PORT|PATH CONNECTIONS MESSAGES SIZE
// (sockets for Unix datagrams are bound to PATH.0, PATH.1, ...)
//
// It connects and prints "connected". Then, for each line of its standard input, which is a number
// of seconds, it sends for so long, waits for the last echoes, and prints "messages seconds". In no
// seconds each connection sends one batch. It keeps the connections until its standard input ends.
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

enum { MAX_EVENTS = 256, PATIENCE = 10000 /* milliseconds */ };

struct connection {
    int fd;
    int missing;  // bytes of the present batch that have not come back
};

static struct connection *connections;
static int count, messages, length, poller;  // length of a batch, in bytes
static char *batch, buffer[1 << 20];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void give_up(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

static int connect_inet(int type, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    struct linger reset = {.l_onoff = 1};  // thousands of connections leave no TIME_WAIT behind
    int one = 1, fd = socket(AF_INET, type, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    if (type == SOCK_DGRAM) return fd;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)) die("TCP_NODELAY");
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset)) die("SO_LINGER");
    return fd;
}

static int connect_unix(int type, const char *path, int number) {
    struct sockaddr_un address = {.sun_family = AF_UNIX}, own = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(own.sun_path, sizeof own.sun_path, "%s.%d", path, number);
    if (fd < 0) die("socket");
    if (type == SOCK_DGRAM && bind(fd, (struct sockaddr *)&own, sizeof own)) die("bind");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    return fd;
}

static int connect_to(const char *transport, const char *where, int number) {
    if (!strcmp(transport, "tcp")) return connect_inet(SOCK_STREAM, where);
    if (!strcmp(transport, "udp")) return connect_inet(SOCK_DGRAM, where);
    return connect_unix(strcmp(transport, "unix-stream") ? SOCK_DGRAM : SOCK_STREAM, where, number);
}

// Returns the number of messages that have come back.
static long run(double seconds) {
    long echoed = 0;
    int under_way = count;
    double end = now() + seconds;
    for (int i = 0; i < count; i++) {
        connections[i].missing = length;
        if (write(connections[i].fd, batch, (size_t)length) != length) die("write");
    }
    while (under_way) {
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_wait(poller, events, MAX_EVENTS, PATIENCE);
        int go_on = now() < end;
        if (ready < 0) die("epoll_wait");
        if (!ready) give_up("an echo does not come");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t got = read(c->fd, buffer, sizeof buffer);
            if (got <= 0) die("the server closed a connection");
            if (got > c->missing) give_up("an echo is longer than what was sent");
            if (c->missing -= (int)got) continue;
            echoed += messages;
            if (!go_on) {
                under_way--;
                continue;
            }
            c->missing = length;
            if (write(c->fd, batch, (size_t)length) != length) die("write");
        }
    }
    return echoed;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: load TRANSPORT PORT|PATH CONNECTIONS MESSAGES SIZE\n");
        return 2;
    }
    int size = atoi(argv[5]);
    count = atoi(argv[3]);
    messages = atoi(argv[4]);
    length = messages * size;
    batch = malloc((size_t)length);
    connections = calloc((size_t)count, sizeof *connections);
    poller = epoll_create1(0);
    if (!batch || !connections || poller < 0) die("set-up");
    memset(batch, 'x', (size_t)length);
    for (int end = size; end <= length; end += size) batch[end - 1] = '\n';

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = connect_to(argv[1], argv[2], i);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event)) die("epoll_ctl");
    }
    puts("connected");
    fflush(stdout);

    double seconds;
    while (scanf("%lf", &seconds) == 1) {
        double start = now();
        long echoed = run(seconds);
        printf("%ld %.6f\n", echoed, now() - start);
        fflush(stdout);
    }
    return 0;
}
