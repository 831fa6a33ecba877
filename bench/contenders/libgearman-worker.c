/*
 * libgearman's worker, measured as main.js measures the others. gearman_worker_work grabs one job, runs it, says that it is complete,
 * and returns: it has no more than one at a time.
 */
#include <libgearman-1.0/gearman.h>

#include "clock.h"

struct contender {
  gearman_worker_st *worker;
};

static void check(gearman_return_t ret, gearman_worker_st *worker) {
  if (gearman_success(ret)) return;
  fprintf(stderr, "libgearman: %s\n", gearman_worker_error(worker));
  exit(1);
}

/* Returns the workload. The library frees the result. */
static void *on_job(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  (void)context;
  *result_size = gearman_job_workload_size(job);
  void *result = malloc(*result_size);
  memcpy(result, gearman_job_workload(job), *result_size);
  *ret = GEARMAN_SUCCESS;
  return result;
}

static void run(struct contender *contender, size_t calls) {
  for (size_t left = calls; left > 0; left--) check(gearman_worker_work(contender->worker), contender->worker);
}

int main(int argc, char **argv) {
  struct setting setting = read_arguments(argc, argv);
  struct contender contender = {.worker = gearman_worker_create(NULL)};
  gearman_worker_add_options(contender.worker, GEARMAN_WORKER_GRAB_UNIQ);
  check(gearman_worker_add_server(contender.worker, "127.0.0.1", setting.port), contender.worker);
  check(gearman_worker_add_function(contender.worker, "bench", 0, on_job, NULL), contender.worker);

  print_result(measure(&contender, &setting));
  gearman_worker_free(contender.worker);
  return 0;
}
