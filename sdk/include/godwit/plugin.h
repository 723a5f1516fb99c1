/* The C ABI of godwit plugins, major version 1. C11 and C++; needs nothing but <stdint.h> and <stddef.h>.
 *
 * A plugin is a shared object with one exported function, godwit_plugin_v1(), and a manifest: a JSON document in the ELF note "godwit" (type 1),
 * which godwit reads without running code. Each plugin runs in a process of its own (godwit-host); it may crash or hang and costs its own calls.
 *
 * Rules that hold everywhere:
 *  - Structs of this major version are frozen: no field is added, moved or removed. A major version is loaded for at least three years after its
 *    successor came.
 *  - New services come as extensions: a struct of functions with an id and a revision, "godwit.http/1", asked for by that text; godwit/ext/ has one header
 *    for each. An extension never changes either: what is better comes as "/2", beside it. Absent is NULL, in both directions. What a plugin cannot do
 *    without stands in its manifest's "needs" and is checked before it is loaded; what it can do without stands in "wants". What stands in neither is not
 *    given. "godwit.draft.*" may change any day and is refused unless the operator runs godwitd in developer mode. "godwit.*" is godwit's; yours begin with
 *    your reversed domain: "com.example.x/1".
 *  - A gw_view is borrowed: valid until the function it was given to returns. Whoever wants to keep the bytes copies them. No terminating NUL.
 *  - A gw_buf belongs to the host. The plugin may release it early; else it dies with the call. Nothing is ever freed by the other side.
 *  - Text is UTF-8; JSON is RFC 8259, at most 64 levels deep. One payload is at most 30 MiB (GW_PAYLOAD_MAX).
 *  - No C++ exception and no longjmp may leave a function of either side.
 *  - Threads: [main] is one thread, never parallel with itself and never while a run() is active. [run] is the thread that run() was called on.
 *    [any] is any thread until the run() of that call has returned; threads of the plugin that use a gw_call must be joined before that.
 *  - What a plugin makes with fork(), where the operator grants it processes, may compute and start programs. It has no host: it must not call one of its
 *    functions nor return from run(), which ends it.
 *  - Descriptors 0, 1, 2 are /dev/null and two pipes: what is written to 1 and 2 goes to the log of the calls in flight.
 */
#ifndef GODWIT_PLUGIN_H
#define GODWIT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_ABI_MAJOR 1u /* also in the name of the exported function */
#define GW_ABI_MINOR 0u /* counts the official extensions only */
#define GW_PAYLOAD_MAX (30u * 1024u * 1024u)

#if defined(__GNUC__)
#define GW_EXPORT __attribute__((visibility("default")))
#else
#define GW_EXPORT
#endif

typedef int32_t gw_status; /* fixed width; a value not listed here means GW_FAILED */
enum {
  GW_OK = 0,
  GW_RETRY = 1,       /* failed for now: the job's retry rule decides whether and when it is tried again */
  GW_FAILED = 2,      /* failed for good: the same call would fail again */
  GW_CANCELLED = 3,   /* the call was cancelled or its deadline passed */
  GW_NOT_FOUND = 4,   /* no such checkpoint, unit or method */
  GW_DENIED = 5,      /* the operator's configuration does not allow it */
  GW_TOO_BIG = 6,     /* larger than a limit that the function names */
  GW_UNSUPPORTED = 7, /* not possible here, as emit() inside open() */
  GW_INVALID = 8      /* an argument is wrong: not JSON, not UTF-8, not an object, given twice */
};

enum { GW_LOG_DEBUG = 0, GW_LOG_INFO = 1, GW_LOG_WARNING = 2, GW_LOG_ERROR = 3 };

typedef struct gw_view {
  const uint8_t *ptr; /* may be NULL when len is 0 */
  uint64_t len;       /* bytes */
} gw_view;

typedef struct gw_buf gw_buf;   /* bytes in the host's memory */
typedef struct gw_call gw_call; /* one call of open() or run(); not to be touched after that function has returned */

/* What the host offers. No pointer is NULL. The table lives as long as the process. */
typedef struct gw_host {
  uint32_t struct_size; /* bytes */
  uint32_t abi_minor;

  /* [any] The struct of an optional service, as "godwit.http/1" (godwit/ext/); NULL when this host has none, or the manifest does not name it. The text is
   * borrowed until the return. The struct is static storage of the host. */
  const void *(*extension)(const char *id_slash_revision);

  /* [any] The bytes of a buffer; the view is valid until the buffer is released or its call ends. `buffer` and `out` must not be NULL. */
  void (*buf_view)(const gw_buf *buffer, gw_view *out);
  /* [any] Gives a buffer back early. NULL is allowed. */
  void (*buf_release)(gw_buf *buffer);

  /* [any] One line or more for the run's log. `level` is a GW_LOG value; `fields` is a JSON object or empty. Never blocks: when the plugin logs
   * faster than 4 MiB/s, lines are dropped and counted. Text that is not UTF-8 and fields that are no JSON object are repaired or dropped. */
  void (*log)(gw_call *call, int32_t level, gw_view text, gw_view fields);

  /* [any] How far the call is; `total` 0 means unknown. `fields_json` is a JSON object to show beside it, or empty; a run shows 64 fields of 4 KiB each.
   * Cheap: call it as often as you like, the host passes on about ten a second and always the last. */
  void (*progress)(gw_call *call, uint64_t done, uint64_t total, gw_view fields_json);

  /* [run], and in open() [main]: why the call fails. `code` is short and stable ("rate_limited"), `text` a sentence for people. `retry_after_ms`
   * counts only with GW_RETRY; negative means that the other side did not say. The last one given before the return counts. */
  void (*fail)(gw_call *call, gw_view code, gw_view text, int64_t retry_after_ms);

  /* [any] 1 when the call should end soon: it was cancelled or its deadline has passed. One atomic load. After the manifest's `cancel_ms` (2 s when
   * not given) the process is killed. */
  int32_t (*cancelled)(gw_call *call);

  /* [any] The call's deadline in nanoseconds of CLOCK_MONOTONIC; INT64_MAX when there is none. */
  int64_t (*deadline_ns)(gw_call *call);

  /* [any] The name of this call, the same for every attempt of it: send it to the other side so that it can tell a repetition. Valid until the call
   * ends. Empty in open(). */
  void (*idempotency_key)(gw_call *call, gw_view *out);

  /* [any] Counts from 1; 0 in open(). */
  int32_t (*attempt)(gw_call *call);

  /* [run] The call's result, once; a run() that returns GW_OK without it has the result null. GW_INVALID when it is not JSON or was given before
   * (not JSON fails the call with code "bad_output" whatever run() returns), GW_TOO_BIG over GW_PAYLOAD_MAX. */
  gw_status (*output)(gw_call *call, gw_view json);

  /* [run] A row that is stored under `topic` in the transaction that records this step, if the call succeeds. May block while the daemon is behind.
   * GW_INVALID when the row is not JSON or the topic is empty, GW_TOO_BIG when the rows of this call exceed GW_PAYLOAD_MAX in all,
   * each with its topic and 64 bytes more, GW_CANCELLED. */
  gw_status (*emit)(gw_call *call, gw_view topic, gw_view record_json);

  /* [run] Keeps `value` (JSON) under `key` for later attempts of this call, over a crash or a reboot too; durable when GW_OK is returned. Blocks for
   * about one commit of the database. GW_INVALID, GW_TOO_BIG over GW_PAYLOAD_MAX, or over 64 MiB or 10,000 keys in all of one attempt, GW_CANCELLED,
   * GW_FAILED when it could not be stored. */
  gw_status (*checkpoint_put)(gw_call *call, gw_view key, gw_view value_json);

  /* [run] The last durable value of `key`. GW_NOT_FOUND when there is none, GW_CANCELLED. */
  gw_status (*checkpoint_get)(gw_call *call, gw_view key, gw_buf **value_json);

  /* [run] Calls a method of another plugin, "timetable.search" or by contract "flight-search/1.search", and waits for its end or for this call's
   * deadline. Its idempotency key is this call's key + "/" + `key_suffix`; an empty suffix stands for a hash of name and arguments, so two equal calls
   * need different suffixes when both shall happen. With GW_FAILED and GW_RETRY *result is {"code": ..., "message": ..., "retry_after_ms": ...}, with
   * GW_OK the result; else NULL. Calls may nest four deep. A retry is this plugin's business. */
  gw_status (*invoke)(gw_call *call, gw_view callable, gw_view args_json, gw_view key_suffix, gw_buf **result);
} gw_host;

enum {
  GW_KIND_STAGE = 1,   /* one unnamed method: the callable's name is the unit's id */
  GW_KIND_PROVIDER = 2 /* named methods: "<unit id>.<method>" */
};

/* One stage or provider of the manifest. Static and immutable. */
typedef struct gw_unit {
  uint32_t struct_size; /* bytes */
  uint32_t kind;        /* a GW_KIND value */
  const char *id;       /* as in the manifest */

  /* [main] Makes an instance with the operator's configuration of this unit (a JSON object). Called once in a process, before any run(). On anything
   * but GW_OK the plugin is not used; fail() says why. `call` serves log() and fail() only. */
  gw_status (*open)(const gw_host *host, gw_call *call, gw_view config_json, void **self);

  /* [run] One call. Up to `concurrency` of the manifest run at once in one process, each on its own thread; 1 when the manifest does not say. `method`
   * is empty for a stage. */
  gw_status (*run)(void *self, gw_call *call, gw_view method, gw_view input_json);

  /* [main] At an orderly end of the process, when no run() is active. Not called after a kill: keep nothing that needs it. */
  void (*close)(void *self);
} gw_unit;

typedef struct gw_plugin {
  uint32_t struct_size; /* bytes */
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t unit_count;
  const gw_unit *const *units;
  /* [any] The struct of an optional ability of the plugin, as "godwit.describe/1", or NULL. Static storage of the plugin. May itself be NULL. */
  const void *(*extension)(const char *id_slash_revision);
} gw_plugin;

/* [main] The only exported symbol; called once, before anything else. `host` lives as long as the process, `load` until the return and serves log() and
 * fail() only. Returns static storage, or NULL after fail(). */
GW_EXPORT const gw_plugin *godwit_plugin_v1(const gw_host *host, gw_call *load);

#ifdef __cplusplus
} /* extern "C" */
#define GW_STATIC_ASSERT static_assert
#else
#define GW_STATIC_ASSERT _Static_assert
#endif

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_view) == 16, "gw_view is frozen");
GW_STATIC_ASSERT(sizeof(gw_host) == 128, "gw_host is frozen");
GW_STATIC_ASSERT(offsetof(gw_host, extension) == 8, "gw_host is frozen");
GW_STATIC_ASSERT(offsetof(gw_host, log) == 32, "gw_host is frozen");
GW_STATIC_ASSERT(offsetof(gw_host, cancelled) == 56, "gw_host is frozen");
GW_STATIC_ASSERT(offsetof(gw_host, output) == 88, "gw_host is frozen");
GW_STATIC_ASSERT(offsetof(gw_host, invoke) == 120, "gw_host is frozen");
GW_STATIC_ASSERT(sizeof(gw_unit) == 40, "gw_unit is frozen");
GW_STATIC_ASSERT(offsetof(gw_unit, open) == 16, "gw_unit is frozen");
GW_STATIC_ASSERT(offsetof(gw_unit, close) == 32, "gw_unit is frozen");
GW_STATIC_ASSERT(sizeof(gw_plugin) == 32, "gw_plugin is frozen");
GW_STATIC_ASSERT(offsetof(gw_plugin, units) == 16, "gw_plugin is frozen");
#endif

#endif /* GODWIT_PLUGIN_H */
