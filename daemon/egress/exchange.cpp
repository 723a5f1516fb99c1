#include "egress/exchange.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "base/utf8.hpp"

namespace godwit::egress {
namespace {

namespace json = base::json;
using wire::HostStatus;

constexpr int kRedirectsMax = 10;
constexpr std::size_t kHeadersMax = 1000;

std::string reason(std::string_view code, const std::string& message) {
  return base::serialize(json::object{{"code", code}, {"message", base::repaired_utf8(message)}});
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

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Keys and sessions of one host are none of the next one's business.
bool is_credential(const std::string& header) {
  const std::string name = lower(header.substr(0, header.find_first_of(":;")));
  return name == "authorization" || name == "cookie" || name == "proxy-authorization";
}

}  // namespace

Exchange::Exchange(std::uint64_t number, std::string_view request, std::string body, HostRules rules)
    : number_(number),
      request_(parse_request(request, !body.empty())),
      body_(std::move(body)),
      rules_(std::move(rules)),
      handle_(curl_easy_init(), curl_easy_cleanup) {
  if (!handle_) throw base::Error(base::ErrorKind::internal, "libcurl has no memory");
  check_target(request_.url);
  set_up();
}

void Exchange::check_target(const std::string& url) {
  const Target target = target_of(url);
  if (!rules_.allow(target.host, target.port))
    throw base::Error(base::ErrorKind::denied,
                      "the operator does not let this plugin reach " + target.host + ":" + target.port);
  target_host_ = target.host;
}

void Exchange::set_up() {
  CURL* handle = handle_.get();
  curl_easy_setopt(handle, CURLOPT_PRIVATE, this);
  curl_easy_setopt(handle, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");  // what the environment says is not the operator's word
  curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "godwit");
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, request_.timeout_ms);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, details_);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
  curl_slist* list = nullptr;
  for (const auto& header : request_.headers) list = curl_slist_append(list, header.c_str());
  headers_.reset(list);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
  set_method();
}

// Only what libcurl would not do by itself is forced.
void Exchange::set_method() {
  CURL* handle = handle_.get();
  const bool has_body = !body_.empty();
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  if (has_body || request_.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body_.c_str());
    if (request_.method != "POST") curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  } else if (request_.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request_.method != "GET") {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
}

std::size_t Exchange::on_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.too_big_ = exchange.answer_body_.size() + size > exchange.request_.body_max;
  if (exchange.too_big_) return 0;
  exchange.answer_body_.append(data, size);
  return size;
}

std::size_t Exchange::on_header(char* data, std::size_t, std::size_t size, void* self) {
  auto& headers = static_cast<Exchange*>(self)->answer_headers_;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) headers.clear();  // what came before was a "100 Continue"
  const std::size_t colon = line.find(':');
  if (colon == line.npos || headers.size() >= kHeadersMax) return size;
  const std::string name = base::repaired_utf8(lower(line.substr(0, colon)));
  const std::string value = base::repaired_utf8(trimmed(line.substr(colon + 1)));
  auto& known = headers[name];
  known = known.is_string() ? std::string(known.get_string()) + ", " + value : value;
  return size;
}

bool Exchange::follow(CURLcode code) {
  char* next = nullptr;
  long status = 0;
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle(), CURLINFO_REDIRECT_URL, &next);
  if (code != CURLE_OK || !request_.follow_redirects || !next || redirects_ == kRedirectsMax) return false;
  const std::string url = next;
  const std::string from = target_host_;
  try {
    check_target(url);
  } catch (const base::Error& error) {
    denied_ = error.what();
    return false;
  }
  ++redirects_;
  request_.url = url;
  const bool becomes_get = status == 303 || ((status == 301 || status == 302) && request_.method == "POST");
  if (becomes_get && request_.method != "HEAD") {
    request_.method = "GET";
    body_.clear();
  }
  if (target_host_ != from)
    request_.headers.erase(std::remove_if(request_.headers.begin(), request_.headers.end(), is_credential),
                           request_.headers.end());
  answer_body_.clear();
  answer_headers_.clear();
  set_up();
  return true;
}

Exchange::Answer Exchange::answer(CURLcode code) {
  if (!denied_.empty()) return {HostStatus::denied, reason("host_not_allowed", "redirected: " + denied_), {}};
  if (too_big_)
    return {
        HostStatus::too_big,
        reason("too_big", "the answer is larger than " + std::to_string(request_.body_max) + " bytes; raise max_body"),
        {}};
  if (code != CURLE_OK) return transfer_failed(code);
  long status = 0;
  curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
  json::object value{
      {"status", status}, {"headers", std::move(answer_headers_)}, {"url", base::repaired_utf8(request_.url)}};
  return {HostStatus::ok, base::serialize(value), std::move(answer_body_)};
}

Exchange::Answer Exchange::transfer_failed(CURLcode code) const {
  const std::string message = std::string(curl_easy_strerror(code)) + (details_[0] ? std::string(": ") + details_ : "");
  return {is_transient(code) ? HostStatus::retry : HostStatus::failed, reason("network", message), {}};
}

Exchange::Answer Exchange::answer(const base::Error& error) {
  const bool denied = error.kind() == base::ErrorKind::denied;
  return {denied ? HostStatus::denied : HostStatus::invalid,
          reason(denied ? "host_not_allowed" : "bad_request", error.what()),
          {}};
}

}  // namespace godwit::egress
