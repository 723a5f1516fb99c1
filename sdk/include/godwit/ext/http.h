/* godwit.http/1: requests to the outside world. godwit makes them, in a process of its own and not in the plugin's: a plugin needs no network of
 * its own, the operator says which hosts it may reach, and connections are kept for the next call.
 *
 * Asked for with host->extension(GW_EXT_HTTP); given when the manifest names it in "needs" or "wants". Frozen like the core table. */
#ifndef GODWIT_EXT_HTTP_H
#define GODWIT_EXT_HTTP_H

#include <godwit/plugin.h>

#define GW_EXT_HTTP "godwit.http/1"

/* Static storage of the host; lives as long as the process. No pointer is NULL. */
typedef struct gw_host_http {
  uint32_t struct_size; /* bytes */
  uint32_t reserved;    /* 0 */

  /* [run] Makes one request and waits for its end, for the call's deadline or its cancellation, whichever comes first.
   *
   * `request_json` is borrowed until the return: {"url": "https://...", "method": "GET", "headers": {"name": "value"}, "timeout_ms": 30000,
   * "max_body": 8388608, "follow_redirects": false}. Only the URL is required (http and https); the values shown are the defaults, `method` is POST
   * when there is a body. Redirects are followed to allowed hosts only, at most ten. An unknown key is an error. `body` is sent as it is; empty for
   * none.
   *
   * Both outputs are set in any case, to NULL where there is nothing; the buffers belong to the host and die with the call.
   *  GW_OK         there was an answer, of whatever HTTP status. *response_json is {"status": 200, "headers": {"name in lower case": "value"},
   *                "url": "the last one, after redirects"}; values of headers with one name are joined by ", ". *body holds its bytes, after
   *                Content-Encoding.
   *  GW_RETRY      no answer for now: the host does not resolve, does not answer in time, hangs up
   *  GW_FAILED     no answer, and a repetition will not help: a certificate that does not verify, an answer that is no HTTP
   *  GW_DENIED     the operator does not let this plugin reach that host
   *  GW_TOO_BIG    the body of the answer is over max_body, or the request's over GW_PAYLOAD_MAX
   *  GW_INVALID    the request is wrong
   *  GW_CANCELLED  the call is to end
   * With all of these but GW_OK and GW_CANCELLED *response_json is {"code": "...", "message": "a sentence for people"} where the host has more to say. */
  gw_status (*request)(gw_call *call, gw_view request_json, gw_view body, gw_buf **response_json, gw_buf **response_body);
} gw_host_http;

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_host_http) == 16, "gw_host_http is frozen");
GW_STATIC_ASSERT(offsetof(gw_host_http, request) == 8, "gw_host_http is frozen");
#endif

#endif /* GODWIT_EXT_HTTP_H */
