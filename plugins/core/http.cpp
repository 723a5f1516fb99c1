#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>

#include "args.hpp"

namespace core {
namespace {

constexpr double kBodyMax = 16.0 * 1024 * 1024;
constexpr double kBodyDefault = 8.0 * 1024 * 1024;
constexpr double kTimeoutDefault = 30;
constexpr double kTimeoutMax = 7.0 * 86400;
constexpr std::size_t kBodyInMessage = 500;

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Easy = std::unique_ptr<CURL, CurlDeleter>;
using List = std::unique_ptr<curl_slist, CurlDeleter>;
using Url = std::unique_ptr<CURLU, CurlDeleter>;

// Each worker thread keeps its handle, and with it the connections that it has open.
CURL* handle_of_this_thread() {
  thread_local Easy handle(curl_easy_init());
  if (!handle) godwit::retry("no_resources", "libcurl has no memory");
  curl_easy_reset(handle.get());
  return handle.get();
}

// What comes back while a request runs.
struct Exchange {
  godwit::Call& call;
  std::size_t body_max;
  std::string body;
  json::object headers;
  bool too_big = false;

  void add_header(std::string_view line) {
    if (line.substr(0, 5) == "HTTP/") headers.clear();  // the answer after a redirect or "100 Continue" counts
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    line.remove_prefix(colon + 1);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.remove_suffix(1);
    const std::string value = as_utf8(line);
    const auto [known, is_new] = headers.emplace(as_utf8(name), value);
    if (!is_new) known->value() = std::string(known->value().as_string()) + ", " + value;
  }
};

std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.body.size() + size > exchange.body_max) {
    exchange.too_big = true;
    return 0;
  }
  exchange.body.append(bytes, size);
  return size;
}

std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* user) {
  static_cast<Exchange*>(user)->add_header({bytes, size});
  return size;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->call.cancelled() ? 1 : 0;
}

std::string query_value(const json::key_value_pair& member) {
  if (member.value().is_string()) return std::string(member.value().get_string());
  if (member.value().is_object() || member.value().is_array() || member.value().is_null())
    refuse("query." + std::string(member.key()), "must be a string, a number, true or false");
  return json::serialize(member.value());
}

// The address with the query appended; only http and https.
std::string read_url(const json::object& args) {
  const Url url(curl_url());
  const std::string given = text(args, "url");
  if (curl_url_set(url.get(), CURLUPART_URL, given.c_str(), 0) != CURLUE_OK)
    refuse("url", "\"" + given + "\" is no URL");
  for (const auto& member : object(args, "query")) {
    const std::string pair = std::string(member.key()) + "=" + query_value(member);
    curl_url_set(url.get(), CURLUPART_QUERY, pair.c_str(), CURLU_APPENDQUERY | CURLU_URLENCODE);
  }
  char* raw = nullptr;
  if (curl_url_get(url.get(), CURLUPART_URL, &raw, 0) != CURLUE_OK) refuse("url", "\"" + given + "\" is no URL");
  std::string result = raw;
  curl_free(raw);
  if (result.rfind("http://", 0) != 0 && result.rfind("https://", 0) != 0)
    refuse("url", "must begin with http:// or https://");
  return result;
}

List read_headers(const json::object& args, const std::string& content_type) {
  List list;
  bool has_type = false;
  const auto add = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (!longer) godwit::retry("no_resources", "libcurl has no memory");
    [[maybe_unused]] auto* same = list.release();
    list.reset(longer);
  };
  for (const auto& member : object(args, "headers")) {
    const std::string name(member.key());
    const std::string value = member_text("headers", member);
    if (name.empty() || name.find_first_of(":\r\n \t") != std::string::npos ||
        value.find_first_of("\r\n") != std::string::npos)
      refuse("headers." + name, "is no valid header");
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    has_type = has_type || lower == "content-type";
    add(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!content_type.empty() && !has_type) add("Content-Type: " + content_type);
  add("Expect:");  // waiting for "100 Continue" costs a second with servers that do not know it
  return list;
}

bool is_ok(const json::object& args, long status) {
  const json::value* list = args.if_contains("ok_status");
  if (!list) return status >= 200 && status < 300;
  if (!list->is_array()) refuse("ok_status", "must be a list of numbers");
  const auto& codes = list->get_array();
  return std::any_of(codes.begin(), codes.end(),
                     [status](const json::value& code) { return code.is_int64() && code.get_int64() == status; });
}

// Failures that say nothing about the request itself.
bool is_transient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

// The step's own deadline counts too; the smaller one.
long timeout_ms(godwit::Call& call, const json::object& args) {
  double seconds = number(args, "timeout", 0.001, kTimeoutMax, kTimeoutDefault);
  if (const auto deadline = call.deadline())
    seconds = std::min(seconds, std::chrono::duration<double>(*deadline - std::chrono::steady_clock::now()).count());
  return std::max(1L, static_cast<long>(seconds * 1000));
}

json::value answer(long status, Exchange& exchange) {
  json::object result{{"status", status}};
  const json::value* type = exchange.headers.if_contains("content-type");
  const std::string_view name = type ? std::string_view(type->get_string()) : std::string_view();
  boost::system::error_code error = json::error::incomplete;
  if (name.find("json") != std::string_view::npos) {
    json::parse_options options;
    options.max_depth = 64;
    json::value body = json::parse(exchange.body, error, {}, options);
    if (!error) result.emplace("json", std::move(body));
  }
  if (error) result.emplace("body", as_utf8(exchange.body));
  result.emplace("headers", std::move(exchange.headers));
  return result;
}

// A header's whole number; the first part of "100, 100;w=60".
std::optional<std::int64_t> header_number(const Exchange& exchange, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const json::value* value = exchange.headers.if_contains(name);
    if (!value) continue;
    std::int64_t number = 0;
    const std::string_view text = value->get_string();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && number >= 0) return number;
  }
  return std::nullopt;
}

// The rates of the step learn from what the server says of its own: so many calls until it counts anew, in seconds from
// now, or in seconds since 1970.
void tell_quota(const Exchange& exchange) {
  constexpr std::int64_t kSinceEpoch = 1'000'000'000;
  const auto remaining = header_number(exchange, {"ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"});
  auto reset = header_number(exchange, {"ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"});
  if (!remaining || !reset) return;
  if (*reset > kSinceEpoch) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    *reset = std::max<std::int64_t>(*reset - now.count(), 0);
  }
  exchange.call.quota(*remaining, std::chrono::seconds(std::min<std::int64_t>(*reset, 86'400 * 31)));
}

[[noreturn]] void fail_by_status(CURL* handle, long status, const Exchange& exchange) {
  const std::string code = "http_" + std::to_string(status);
  const std::string message = "the server answered " + std::to_string(status) + ": " +
                              as_utf8(std::string_view(exchange.body).substr(0, kBodyInMessage));
  if (status != 429 && status < 500) godwit::fail(code, message);
  curl_off_t after_s = 0;
  curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &after_s);
  godwit::retry(code, message, after_s > 0 ? std::optional(std::chrono::milliseconds(after_s * 1000)) : std::nullopt);
}

}  // namespace

class Http {
 public:
  explicit Http(const json::object&) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready != CURLE_OK) godwit::fail("libcurl", curl_easy_strerror(ready));
  }

  json::value run(godwit::Call& call, const json::object& args) {
    if (args.contains("body") && args.contains("json")) refuse("http.request", "takes either body or json");
    const json::value* document = args.if_contains("json");
    const std::string body = document ? json::serialize(*document) : text(args, "body");
    const std::string url = read_url(args);
    const List headers = read_headers(args, document ? "application/json" : "");
    Exchange exchange{call, static_cast<std::size_t>(number(args, "max_body", 1, kBodyMax, kBodyDefault)), {}, {}};
    CURL* handle = handle_of_this_thread();
    set_up(handle, args, url, exchange);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, timeout_ms(call, args));
    const bool has_body = document || args.contains("body");
    if (has_body) {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
    }
    set_method(handle, text(args, "method", has_body ? "POST" : "GET"), has_body);
    return perform(handle, args, exchange);
  }

 private:
  // Only what libcurl would not do by itself is forced: a forced method would be kept over redirects too.
  static void set_method(CURL* handle, const std::string& method, bool has_body) {
    if (method.empty() || method.size() > 16 ||
        !std::all_of(method.begin(), method.end(), [](unsigned char c) { return std::isupper(c); }))
      refuse("method", "must be in capital letters, as GET");
    if (method == "HEAD" && !has_body) {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (method != (has_body ? "POST" : "GET")) {
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
    }
  }

  static void set_up(CURL* handle, const json::object& args, const std::string& url, Exchange& exchange) {
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, flag(args, "follow_redirects", true) ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(handle, CURLOPT_PROXY,
                     text(args, "proxy").c_str());  // an empty one keeps libcurl from asking the environment
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "godwit");
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  }

  static json::value perform(CURL* handle, const json::object& args, Exchange& exchange) {
    char details[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, details);
    const CURLcode code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
    exchange.call.check_cancel();
    if (exchange.too_big)
      godwit::fail("too_big",
                   "the answer is larger than " + std::to_string(exchange.body_max) + " bytes; raise max_body");
    if (code != CURLE_OK) {
      const std::string message =
          std::string(curl_easy_strerror(code)) + (details[0] ? std::string(": ") + details : std::string());
      if (is_transient(code)) godwit::retry("network", message);
      godwit::fail("network", message);
    }
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    tell_quota(exchange);
    if (!is_ok(args, status)) fail_by_status(handle, status, exchange);
    return answer(status, exchange);
  }
};
GODWIT_STAGE(Http, "http.request")

}  // namespace core
