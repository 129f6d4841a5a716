// floor: the least that a delivery can cost on this machine.
//
// A C loop writes the same bytes to each of N loopback sockets, at an even pace of rounds; other processes read them. What
// the loop pays per call is what any server must pay per delivery that is a write of its own.
//
//   floor server N SIZE     prints {"port":P}, accepts N connections, prints {"connected":N}; then for each line
//                           "ROUNDS RATE" on stdin it writes ROUNDS times to all, RATE rounds a second (0: a round as soon as
//                           the one before is written), and prints a line of figures. Ends with its stdin.
//   floor sink PORT N FIRST connects N sockets from source addresses 127.0.0.FIRST to FIRST+7, reads until the server ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double user_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// more_files lifts the soft limit of descriptors to the hard one.
static void more_files(void) {
  struct rlimit l;
  if (getrlimit(RLIMIT_NOFILE, &l)) fail("getrlimit");
  l.rlim_cur = l.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &l)) fail("setrlimit");
}

static void watch(int ep, int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

static int sink(int port, int n, int first) {
  static char buf[1 << 18];
  struct epoll_event ev[1024];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  int ep = epoll_create1(0), one = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < n; i++) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct linger reset = {1, 0};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0) fail("socket");
    from.sin_addr.s_addr = htonl(0x7f000000 + first + i % 8);
    setsockopt(s, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (bind(s, (void *)&from, sizeof from)) fail("bind");
    if (connect(s, (void *)&to, sizeof to)) fail("connect");
    watch(ep, s);
  }
  for (;;) {
    int k = epoll_wait(ep, ev, 1024, -1);
    if (k < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < k; i++)
      if (read(ev[i].data.fd, buf, sizeof buf) <= 0) return 0;
  }
}

static void run(const int *fd, int n, const char *message, int size, int rounds, double rate) {
  long long calls = 0, refused = 0;
  double user = user_seconds(), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC);
  for (int r = 0; r < rounds; r++) {
    if (rate > 0) {
      double due = start + r / rate;
      struct timespec t = {.tv_sec = (time_t)due, .tv_nsec = (long)((due - (time_t)due) * 1e9)};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
    for (int i = 0; i < n; i++, calls++)
      if (write(fd[i], message, size) != size) refused++;
  }
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  user = user_seconds() - user;
  printf("{\"calls\":%lld,\"refused\":%lld,\"cpuMicrosPerCall\":%.4f,\"userShare\":%.4f,\"seconds\":%.3f}\n", calls,
         refused, cpu * 1e6 / calls, cpu > 0 ? user / cpu : 0, seconds(CLOCK_MONOTONIC) - start);
  fflush(stdout);
}

static int server(int n, int size) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t len = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0), one = 1, rounds;
  int *fd = calloc(n, sizeof *fd);
  char *message = malloc(size), line[128];
  double rate;
  memset(message, 'x', size);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&a, sizeof a)) fail("bind");
  if (listen(listener, 4096)) fail("listen");
  if (getsockname(listener, (void *)&a, &len)) fail("getsockname");
  printf("{\"port\":%d}\n", ntohs(a.sin_port));
  fflush(stdout);
  for (int i = 0; i < n; i++) {
    fd[i] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd[i] < 0) fail("accept");
    setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(ep, fd[i]);  // a real server waits for input on each: it is part of what a socket costs
  }
  printf("{\"connected\":%d}\n", n);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin))
    if (sscanf(line, "%d %lf", &rounds, &rate) == 2 && rounds > 0) run(fd, n, message, size, rounds, rate);
  return 0;
}

int main(int argc, char **argv) {
  more_files();
  if (argc == 4 && !strcmp(argv[1], "server")) return server(atoi(argv[2]), atoi(argv[3]));
  if (argc == 5 && !strcmp(argv[1], "sink")) return sink(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
  fprintf(stderr, "usage: floor server N SIZE | floor sink PORT N FIRST\n");
  return 2;
}
