#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace godwit::egress {

// The hosts that a plugin may reach, as the operator wrote them: "api.example.com" (ports 80 and 443),
// "*.example.com" (whatever is below it), "localhost:8080" (that port), "localhost:*" (any port), "*" (all).
class HostRules {
 public:
  explicit HostRules(std::vector<std::string> rules) : rules_(std::move(rules)) {}
  bool allow(std::string_view host, std::string_view port) const;

 private:
  std::vector<std::string> rules_;
};

// What a plugin asks for (sdk/include/godwit/ext/http.h).
struct Request {
  std::string url;
  std::string method;
  std::vector<std::string> headers;  // "name: value"
  long timeout_ms = 30'000;
  std::size_t body_max = 8u * 1024 * 1024;
  bool follow_redirects = false;
};

// Throws base::Error(refused) that names what is wrong.
Request parse_request(std::string_view text, bool has_body);

// Host (lower case) and port of an http or https URL. Throws base::Error(refused).
struct Target {
  std::string host;
  std::string port;
};
Target target_of(const std::string& url);

}  // namespace godwit::egress
