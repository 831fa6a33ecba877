/*
 * What main.js does, for the contenders in C: the same arguments, the same warm-up, the same line of JSON.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <math.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct setting {
  in_port_t port;
  size_t outstanding;
  size_t workload;
  size_t ids;
  double seconds;
  double most;
  bool is_queued;
  /* Whether calls wait for what becomes of their jobs. */
  bool is_foreground;
  /* Whose CPU is measured: this process's, or a job server's. */
  clockid_t cpu_clock;
};

struct result {
  double calls;
  double seconds;
  double cpu_seconds;
};

/* What is measured; each contender has its own. */
struct contender;

/* Makes so many calls, or runs so many jobs. */
static void run(struct contender *contender, size_t calls);

static double seconds_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct result clock_run(struct contender *contender, double calls, clockid_t cpu_clock) {
  double cpu = seconds_of(cpu_clock);
  double start = seconds_of(CLOCK_MONOTONIC);
  run(contender, (size_t)calls);
  return (struct result){
      .calls = calls,
      .seconds = seconds_of(CLOCK_MONOTONIC) - start,
      .cpu_seconds = seconds_of(cpu_clock) - cpu,
  };
}

static struct result measure(struct contender *contender, const struct setting *setting) {
  clockid_t cpu_clock = setting->cpu_clock;
  if (setting->is_queued) return clock_run(contender, setting->most, cpu_clock);
  double left = setting->most;
  double warm_seconds = 0;
  double per_second = 8 / setting->seconds;
  while (warm_seconds < setting->seconds && left > setting->most * 2 / 3) {
    double calls = ceil(fmin(setting->most / 6, per_second * setting->seconds / 4));
    struct result part = clock_run(contender, calls, cpu_clock);
    left -= part.calls;
    warm_seconds += part.seconds;
    per_second = part.calls / part.seconds;
  }
  return clock_run(contender, ceil(fmin(left, per_second * setting->seconds)), cpu_clock);
}

static clockid_t cpu_clock_of(pid_t pid) {
  clockid_t clock;
  if (clock_getcpuclockid(pid, &clock) == 0) return clock;
  fprintf(stderr, "there is no process %ld\n", (long)pid);
  exit(1);
}

static struct setting read_arguments(int argc, char **argv) {
  struct setting setting = {.outstanding = 1, .workload = 32, .ids = 1, .seconds = 1, .most = 1000};
  setting.cpu_clock = CLOCK_PROCESS_CPUTIME_ID;
  for (int index = 1; index + 1 < argc; index += 2) {
    const char *value = argv[index + 1];
    if (strcmp(argv[index], "--ports") == 0) setting.port = (in_port_t)atoi(value);
    if (strcmp(argv[index], "--outstanding") == 0) setting.outstanding = (size_t)atol(value);
    if (strcmp(argv[index], "--workload") == 0) setting.workload = (size_t)atol(value);
    if (strcmp(argv[index], "--ids") == 0) setting.ids = (size_t)atol(value);
    if (strcmp(argv[index], "--seconds") == 0) setting.seconds = atof(value);
    if (strcmp(argv[index], "--most") == 0) setting.most = atof(value);
    if (strcmp(argv[index], "--queued") == 0) setting.is_queued = strcmp(value, "yes") == 0;
    if (strcmp(argv[index], "--foreground") == 0) setting.is_foreground = strcmp(value, "yes") == 0;
    if (strcmp(argv[index], "--cpu-of") == 0) setting.cpu_clock = cpu_clock_of((pid_t)atol(value));
  }
  return setting;
}

static void print_result(struct result result) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"calls\":%.0f,\"seconds\":%f,\"cpuSeconds\":%f,\"peakRssBytes\":%ld}\n", result.calls, result.seconds,
         result.cpu_seconds, usage.ru_maxrss * 1024);
}

#endif
