/* Calls everything of longview_attention.h from C99, as far as that goes on a machine without a GPU: that
 * the header compiles, that the library has the functions, and that mistakes are told. */
#include "capi/longview_attention.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 256 };

static int failures = 0;

static void check(int holds, const char* what) {
  if (holds) return;
  printf("%s: does not hold\n", what);
  failures++;
}

/* Whether a call was refused with LONGVIEW_INVALID_ARGUMENT and a message that contains `expected`. */
static void check_refused(int status, const char* message, const char* expected) {
  if (status == LONGVIEW_INVALID_ARGUMENT && strstr(message, expected) != NULL) return;
  printf("expected \"%s\", not status %d with \"%s\"\n", expected, status, message);
  failures++;
}

static void check_sizes(void) {
  check(longview_attention_abi() == LONGVIEW_ATTENTION_ABI, "the interface's number");
  check(longview_lists_tiles(129) == 2, "tiles of 129 queries");
  check(longview_lists_pitch(64 * 8 + 1) == 16, "the pitch of 9 blocks");
}

static void check_selector(void) {
  char message[MESSAGE_SIZE] = "";
  longview_selector* selector = NULL;
  longview_selection_settings settings;
  longview_selection_call call;
  memset(&call, 0, sizeof call);
  longview_selection_defaults(&settings);
  check(settings.pooled_keys == 8 && settings.tiles.sampled_rows == 16, "the defaults");

  settings.tiles.sampled_rows = 12;
  check_refused(longview_selector_create(&selector, &settings, 0, message, MESSAGE_SIZE), message,
                "12 sampled rows");
  check(selector == NULL, "no handle of a selector that was not made");
  check_refused(longview_selector_create(&selector, NULL, 0, message, MESSAGE_SIZE), message,
                "settings is null");
  check(longview_selector_create(&selector, NULL, 0, NULL, 0) == LONGVIEW_INVALID_ARGUMENT,
        "a call without room for a message");
  check_refused(longview_selector_run(NULL, &call, LONGVIEW_BOTH_STAGES, NULL, message, MESSAGE_SIZE),
                message, "selector is null");

  /* With a GPU this makes one; without, it says why not. */
  settings.tiles.sampled_rows = 16;
  if (longview_selector_create(&selector, &settings, 0, message, MESSAGE_SIZE) == LONGVIEW_OK) {
    const longview_heads heads = {12, 2, 128};
    check(longview_selector_workspace_bytes(selector, &heads, 1024, 1024) > 0, "a workspace");
    check(longview_selector_pooled_bytes(selector, &heads, 641) == 2u * 2 * 80 * 2 * 128,
          "averages of two blocks of the pool");
  } else {
    check(selector == NULL && strlen(message) > 0, "the reason why there is no selector");
  }
  longview_selector_destroy(selector);
}

static void check_prefill(void) {
  char message[MESSAGE_SIZE] = "";
  longview_dense_prefill* dense = NULL;
  longview_sparse_prefill* sparse = NULL;
  longview_prefill_call call;
  longview_lists lists;
  memset(&call, 0, sizeof call);
  memset(&lists, 0, sizeof lists);
  check_refused(longview_dense_prefill_create(NULL, 0, message, MESSAGE_SIZE), message,
                "prefill is null");
  check_refused(longview_dense_prefill_run(NULL, &call, NULL, message, MESSAGE_SIZE), message,
                "prefill is null");
  check_refused(longview_sparse_prefill_run(NULL, &call, &lists, NULL, message, MESSAGE_SIZE), message,
                "prefill is null");
  if (longview_dense_prefill_create(&dense, 0, message, MESSAGE_SIZE) != LONGVIEW_OK) {
    check(dense == NULL && strlen(message) > 0, "the reason why there is no dense prefill");
  }
  if (longview_sparse_prefill_create(&sparse, 16, 0, message, MESSAGE_SIZE) != LONGVIEW_OK) {
    check(sparse == NULL && strlen(message) > 0, "the reason why there is no sparse prefill");
  }
  longview_dense_prefill_destroy(dense);
  longview_sparse_prefill_destroy(sparse);
}

int main(void) {
  check_sizes();
  check_selector();
  check_prefill();
  printf(failures == 0 ? "all passed\n" : "%d failed\n", failures);
  return failures == 0 ? 0 : 1;
}
