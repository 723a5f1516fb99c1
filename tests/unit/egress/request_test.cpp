#include "egress/request.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace godwit;
using egress::HostRules;

TEST_CASE("a host is reached when a rule names it and its port") {
  const HostRules rules({"api.example.com", "*.example.org", "localhost:8080", "[::1]:80", "127.0.0.1:*"});
  CHECK(rules.allow("api.example.com", "443"));
  CHECK(rules.allow("api.example.com", "80"));
  CHECK_FALSE(rules.allow("api.example.com", "8443"));
  CHECK_FALSE(rules.allow("example.com", "443"));
  CHECK_FALSE(rules.allow("evil-api.example.com.attacker.net", "443"));
  CHECK(rules.allow("a.b.example.org", "443"));
  CHECK_FALSE(rules.allow("example.org", "443"));
  CHECK_FALSE(rules.allow("xexample.org", "443"));
  CHECK(rules.allow("localhost", "8080"));
  CHECK_FALSE(rules.allow("localhost", "80"));
  CHECK(rules.allow("[::1]", "80"));
  CHECK(rules.allow("127.0.0.1", "1"));
  CHECK(HostRules({"*"}).allow("anything", "1"));
  CHECK_FALSE(HostRules({}).allow("anything", "80"));
}

TEST_CASE("the host of a URL is the one that is connected to") {
  CHECK(egress::target_of("https://API.Example.com/x?y").host == "api.example.com");
  CHECK(egress::target_of("http://user:word@127.0.0.1:8080/").host == "127.0.0.1");
  CHECK(egress::target_of("http://allowed.example.com@evil.net/").host == "evil.net");
  CHECK(egress::target_of("https://x/").port == "443");
  for (const char* bad : {"file:///etc/passwd", "gopher://x/", "x", "", "http://", "http://a b/"})
    CHECK_THROWS_AS(egress::target_of(bad), base::Error);
}

TEST_CASE("a request is read strictly") {
  const auto request =
      egress::parse_request(R"({"url": "http://x/", "headers": {"X-A": "1", "Empty": ""}, "timeout_ms": 5})", true);
  CHECK(request.method == "POST");
  CHECK(request.headers == std::vector<std::string>{"X-A: 1", "Empty;"});
  CHECK(egress::parse_request(R"({"url": "http://x/"})", false).method == "GET");
  for (const char* bad :
       {"{}", "[]", R"({"url": 7})", R"({"url": "http://x/", "method": "get"})",
        R"({"url": "http://x/", "headers": {"A: b": "c"}})", R"({"url": "http://x/", "headers": {"A": "b\r\nC: d"}})",
        R"({"url": "http://x/", "timeout_ms": 0})", R"({"url": "http://x/", "max_body": 999999999999})",
        R"({"url": "http://x/", "heders": {}})"})
    CHECK_THROWS_AS(egress::parse_request(bad, false), base::Error);
}
