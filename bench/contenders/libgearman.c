/*
 * libgearman's client, measured as main.js measures the others.
 *
 * Its tasks run in rounds: as many as may be outstanding are added, and gearman_client_run_tasks sends them and returns when all have
 * their job handles, or in the foreground their results. With one outstanding, gearman_client_do_background is faster. It also has to carry large workloads: when the
 * socket takes no more in the middle of one, gearman_client_run_tasks (1.1.20) may forget the rest and wait for ever.
 */
#include <libgearman-1.0/gearman.h>

#include "clock.h"

enum { ID_BYTES = 36, ONE_AT_A_TIME_FROM = 16384 };

struct contender {
  gearman_client_st *client;
  char *workload;
  char *ids;
  size_t next_id;
  /* Jobs of a round that were created, or in the foreground completed. */
  size_t answered;
  const struct setting *setting;
};

static void check(gearman_return_t ret, gearman_client_st *client) {
  if (gearman_success(ret)) return;
  fprintf(stderr, "libgearman: %s\n", gearman_client_error(client));
  exit(1);
}

static gearman_return_t on_created(gearman_task_st *task) {
  struct contender *contender = gearman_task_context(task);
  if (gearman_task_job_handle(task)[0] != '\0') contender->answered++;
  return GEARMAN_SUCCESS;
}

static gearman_return_t on_complete(gearman_task_st *task) {
  struct contender *contender = gearman_task_context(task);
  if (gearman_task_data_size(task) == contender->setting->workload) contender->answered++;
  return GEARMAN_SUCCESS;
}

static const char *next_id(struct contender *contender) {
  if (contender->next_id == contender->setting->ids) contender->next_id = 0;
  return contender->ids + (ID_BYTES + 1) * contender->next_id++;
}

static void submit_one(struct contender *contender) {
  char handle[GEARMAN_JOB_HANDLE_SIZE];
  check(gearman_client_do_background(contender->client, "bench", next_id(contender), contender->workload,
                                     contender->setting->workload, handle),
        contender->client);
}

static void do_one(struct contender *contender) {
  size_t size;
  gearman_return_t ret;
  void *result = gearman_client_do(contender->client, "bench", next_id(contender), contender->workload,
                                   contender->setting->workload, &size, &ret);
  check(ret, contender->client);
  free(result);
}

static void add_task(struct contender *contender) {
  gearman_return_t ret;
  gearman_client_st *client = contender->client;
  size_t size = contender->setting->workload;
  if (contender->setting->is_foreground)
    gearman_client_add_task(client, NULL, contender, "bench", next_id(contender), contender->workload, size, &ret);
  else
    gearman_client_add_task_background(client, NULL, contender, "bench", next_id(contender), contender->workload, size,
                                       &ret);
  check(ret, client);
}

static void run_tasks(struct contender *contender, size_t count) {
  contender->answered = 0;
  for (size_t index = 0; index < count; index++) add_task(contender);
  check(gearman_client_run_tasks(contender->client), contender->client);
  if (contender->answered == count) return;
  fprintf(stderr, "libgearman: %zu of %zu jobs were answered\n", contender->answered, count);
  exit(1);
}

static void run(struct contender *contender, size_t calls) {
  size_t at_once = contender->setting->workload < ONE_AT_A_TIME_FROM ? contender->setting->outstanding : 1;
  for (size_t left = calls; left > 0;) {
    size_t count = left < at_once ? left : at_once;
    if (at_once > 1) run_tasks(contender, count);
    else if (contender->setting->is_foreground) do_one(contender);
    else submit_one(contender);
    left -= count;
  }
}

static char *make_ids(size_t count) {
  char *ids = malloc(count * (ID_BYTES + 1));
  for (size_t index = 0; index < count; index++) {
    snprintf(ids + index * (ID_BYTES + 1), ID_BYTES + 1, "%08x-0000-1000-8000-0000%08x",
             (unsigned int)index, (unsigned int)random());
  }
  return ids;
}

int main(int argc, char **argv) {
  struct setting setting = read_arguments(argc, argv);
  struct contender contender = {
      .client = gearman_client_create(NULL),
      .workload = malloc(setting.workload),
      .ids = make_ids(setting.ids),
      .setting = &setting,
  };
  memset(contender.workload, 'w', setting.workload);
  check(gearman_client_add_server(contender.client, "127.0.0.1", setting.port), contender.client);
  if (setting.is_foreground) gearman_client_set_complete_fn(contender.client, on_complete);
  else gearman_client_set_created_fn(contender.client, on_created);
  // The library looks for the task of each answer in a list of all: it is seven times as fast if those that are done are not in it.
  gearman_client_add_options(contender.client, GEARMAN_CLIENT_FREE_TASKS);

  print_result(measure(&contender, &setting));
  gearman_client_free(contender.client);
  return 0;
}
