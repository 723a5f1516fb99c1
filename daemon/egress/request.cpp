#include "egress/request.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "base/suggest.hpp"

namespace godwit::egress {
namespace {

namespace json = base::json;

constexpr std::size_t kBodyMax = 30u * 1024 * 1024;
constexpr std::int64_t kTimeoutMax = 24 * 3600 * 1000;

base::Error wrong(const std::string& key, const std::string& what) {
  return base::refused("the request's \"" + key + "\" " + what);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

bool has_line_end(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

std::string text_of(const json::value& value, const std::string& key) {
  if (!value.is_string() || has_line_end(value.get_string())) throw wrong(key, "must be a text of one line");
  return std::string(value.get_string());
}

std::int64_t number_of(const json::value& value, const std::string& key, std::int64_t most) {
  if (!value.is_int64() || value.get_int64() < 1 || value.get_int64() > most)
    throw wrong(key, "must be a whole number from 1 to " + std::to_string(most));
  return value.get_int64();
}

std::string method_of(const json::value& value) {
  const std::string method = text_of(value, "method");
  const bool valid = !method.empty() && method.size() <= 16 &&
                     std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!valid) throw wrong("method", "must be in capital letters, as GET");
  return method;
}

std::vector<std::string> headers_of(const json::value& value) {
  if (!value.is_object()) throw wrong("headers", "must be an object");
  std::vector<std::string> headers;
  for (const auto& member : value.get_object()) {
    const std::string name(member.key());
    const bool valid = !name.empty() && name.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789!#$%&'*+-.^_`|~") == std::string::npos;
    if (!valid) throw wrong("headers", "has \"" + name + "\", which is no name of a header");
    const std::string text = text_of(member.value(), "headers." + name);
    headers.push_back(text.empty() ? name + ";" : name + ": " + text);
  }
  return headers;
}

}  // namespace

bool HostRules::allow(std::string_view host, std::string_view port) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const std::string& text) {
    const std::string_view rule = text;
    if (rule == "*") return true;
    // What is in brackets is an IPv6 address, whose colons are its own.
    const std::size_t colon = rule.rfind(':');
    const bool has_port = colon != rule.npos && (rule.find(']') == rule.npos || colon > rule.find(']'));
    const std::string name = lower(rule.substr(0, has_port ? colon : rule.npos));
    const std::string_view wanted = has_port ? rule.substr(colon + 1) : std::string_view();
    const bool port_fits = has_port ? wanted == "*" || wanted == port : port == "80" || port == "443";
    const bool below = name.starts_with("*.") && host.size() > name.size() - 1 && host.ends_with(name.substr(1));
    return port_fits && (below || name == host);
  });
}

Request parse_request(std::string_view text, bool has_body) {
  const json::value document = base::parse_json(text);
  if (!document.is_object()) throw base::refused("the request is no JSON object");
  Request request;
  request.method = has_body ? "POST" : "GET";
  for (const auto& member : document.get_object()) {
    const std::string key(member.key());
    const json::value& value = member.value();
    if (key == "url") {
      request.url = text_of(value, key);
    } else if (key == "method") {
      request.method = method_of(value);
    } else if (key == "headers") {
      request.headers = headers_of(value);
    } else if (key == "timeout_ms") {
      request.timeout_ms = static_cast<long>(number_of(value, key, kTimeoutMax));
    } else if (key == "max_body") {
      request.body_max = static_cast<std::size_t>(number_of(value, key, kBodyMax));
    } else if (key == "follow_redirects") {
      if (!value.is_bool()) throw wrong(key, "must be true or false");
      request.follow_redirects = value.get_bool();
    } else {
      throw base::refused(
          "the request has the unknown key \"" + key + "\"", {},
          base::suggest(key, {"url", "method", "headers", "timeout_ms", "max_body", "follow_redirects"}));
    }
  }
  if (request.url.empty()) throw wrong("url", "is missing");
  return request;
}

Target target_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return std::string();
    std::string result = text;
    curl_free(text);
    return result;
  };
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    throw base::refused("\"" + url.substr(0, 200) + "\" is no URL");
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    throw base::refused("\"" + url.substr(0, 200) + "\" is neither http nor https");
  return {lower(part(CURLUPART_HOST)), part(CURLUPART_PORT)};
}

}  // namespace godwit::egress
