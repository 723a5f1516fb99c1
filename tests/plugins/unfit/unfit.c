/* Plugins that the checker must find fault with, one for each name that is defined: UNFIT_LEAK and so on. */
#include "../unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int is(const char *fault) { return strcmp(UNFIT, fault) == 0; }

static void *use_later(void *call) {
  usleep(1000);
  host->log(call, GW_LOG_INFO, text("still there"), text(""));
  return NULL;
}

static gw_status run(void *self, gw_call *call, gw_view method, gw_view input) {
  (void)self, (void)method;
  gw_buf *kept = NULL;
  gw_view view = {0};
  if (is("leak")) memset(malloc(4096), 7, 4096);
  if (is("fd_leak")) open("/dev/null", O_RDONLY);
  if (is("overread")) return host->output(call, text(strlen((const char *)input.ptr) > 2 ? "1" : "2"));
  if (is("writes_input")) ((uint8_t *)(uintptr_t)input.ptr)[0] = '[';
  if (is("deaf"))
    for (int i = 0; i < 200; ++i) usleep(10 * 1000);
  if (is("twice")) host->output(call, text("1"));
  if (is("no_json")) return host->output(call, text("{'a': 1}"));
  if (is("exits")) exit(0);
  if (is("ignores_failure")) {
    host->output(call, input);
    return GW_OK;
  }
  if (is("impure")) {
    char number[32];
    snprintf(number, sizeof number, "%d", (int)getpid());
    return host->output(call, text(number));
  }
  if (is("off_schema")) return host->output(call, text("\"text\""));
  if (is("late")) {
    pthread_t thread;
    pthread_create(&thread, NULL, use_later, call);
    pthread_detach(thread);
  }
  if (is("takes_signals")) signal(SIGSEGV, SIG_IGN);
  if (is("use_after_release")) {
    host->checkpoint_put(call, text("k"), text("[1,2,3]"));
    if (host->checkpoint_get(call, text("k"), &kept) == GW_OK) {
      host->buf_view(kept, &view);
      host->buf_release(kept);
      if (view.ptr[0] == '{') return GW_FAILED;
    }
  }
  if (is("forgets")) {
    /* A second attempt takes what it finds for the end of the work. */
    if (host->checkpoint_get(call, text("half"), &kept) == GW_OK) return host->output(call, text("\"half\""));
    host->checkpoint_put(call, text("half"), text("1"));
    return host->output(call, text("\"whole\""));
  }
  return host->output(call, input);
}

#ifdef UNFIT_EXPORTS
int a_symbol_of_the_plugin(void) { return is("exports"); }
#endif

#ifdef UNFIT_AT_LOAD
__attribute__((constructor)) static void at_load(void) {
  printf("hello from the constructor\n");
  fflush(stdout);
}
#endif

#ifdef UNFIT_FORKS
__attribute__((constructor)) static void fork_at_load(void) { fork(); }
#endif

ONE_STAGE_PLUGIN(UNIT_ID, run)
