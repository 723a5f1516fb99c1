#include <catch2/catch.hpp>
#include <godwit/sdk.hpp>
#include <stdexcept>

namespace json = godwit::json;

namespace {

// The host's side of one call, as the C++ wrapper sees it.
struct Seen {
  std::string code;
  std::string text;
  std::int64_t retry_after_ms = -2;
  std::string output;
  bool cancelled = false;
};
Seen seen;

std::string copy(gw_view view) {
  return {reinterpret_cast<const char*>(view.ptr), static_cast<std::size_t>(view.len)};
}

gw_host table() {
  gw_host host{};
  host.struct_size = sizeof host;
  host.fail = [](gw_call*, gw_view code, gw_view text, std::int64_t after) {
    seen.code = copy(code);
    seen.text = copy(text);
    seen.retry_after_ms = after;
  };
  host.cancelled = [](gw_call*) -> std::int32_t { return seen.cancelled ? 1 : 0; };
  host.output = [](gw_call*, gw_view json) -> gw_status {
    seen.output = copy(json);
    return GW_OK;
  };
  host.checkpoint_put = [](gw_call*, gw_view, gw_view) -> gw_status { return GW_CANCELLED; };
  return host;
}
const gw_host host = table();

class Stage {
 public:
  explicit Stage(const json::object& config) {
    if (config.contains("throw")) throw std::runtime_error("no such configuration");
  }
  json::value run(godwit::Call& call, const json::object& input) {
    const std::string what(input.at("do").as_string());
    if (what == "check") call.check_cancel();
    if (what == "fail") godwit::fail("code", "text");
    if (what == "retry") godwit::retry("code", "text", std::chrono::seconds(2));
    if (what == "throw") throw std::runtime_error("oops");
    if (what == "throw int") throw 7;
    if (what == "checkpoint") call.checkpoint_put("k", 1);
    return {{"did", what}};
  }
};
GODWIT_STAGE(Stage, "stage")

class Provider {
 public:
  explicit Provider(const json::object&) {}
  json::value call(godwit::Call&, std::string_view method, const json::object& args) {
    return {{"method", method}, {"args", args}};
  }
};
GODWIT_PROVIDER(Provider, "provider")

gw_status run(const gw_unit& unit, std::string_view method, std::string_view input) {
  void* self = nullptr;
  REQUIRE(unit.open(&host, nullptr, godwit::detail::view("{}"), &self) == GW_OK);
  const bool cancelled = seen.cancelled;
  seen = {};
  seen.cancelled = cancelled;
  const gw_status status = unit.run(self, nullptr, godwit::detail::view(method), godwit::detail::view(input));
  unit.close(self);
  return status;
}

}  // namespace

TEST_CASE("a stage's result goes out as JSON") {
  CHECK(run(gw_unit_Stage, "", R"({"do": "x"})") == GW_OK);
  CHECK(seen.output == R"({"did":"x"})");
}

TEST_CASE("a provider gets the method's name") {
  CHECK(run(gw_unit_Provider, "search", R"({"a": 1})") == GW_OK);
  CHECK(seen.output == R"({"method":"search","args":{"a":1}})");
}

TEST_CASE("whatever is thrown becomes a status and a reason") {
  CHECK(run(gw_unit_Stage, "", R"({"do": "fail"})") == GW_FAILED);
  CHECK((seen.code == "code" && seen.text == "text" && seen.retry_after_ms == -1));
  CHECK(run(gw_unit_Stage, "", R"({"do": "retry"})") == GW_RETRY);
  CHECK(seen.retry_after_ms == 2000);
  CHECK(run(gw_unit_Stage, "", R"({"do": "throw"})") == GW_FAILED);
  CHECK((seen.code == "exception" && seen.text == "oops"));
  CHECK(run(gw_unit_Stage, "", R"({"do": "throw int"})") == GW_FAILED);
  CHECK(seen.code == "exception");
  CHECK(run(gw_unit_Stage, "", R"({})") == GW_FAILED);  // at() throws
  CHECK(run(gw_unit_Stage, "", "{broken") == GW_FAILED);
  CHECK(run(gw_unit_Stage, "", "[]") == GW_FAILED);
  CHECK(seen.code == "bad_input");
}

TEST_CASE("cancellation ends a call from inside every blocking function") {
  CHECK(run(gw_unit_Stage, "", R"({"do": "checkpoint"})") == GW_CANCELLED);
  CHECK(run(gw_unit_Stage, "", R"({"do": "check"})") == GW_OK);
  seen.cancelled = true;
  CHECK(run(gw_unit_Stage, "", R"({"do": "check"})") == GW_CANCELLED);
  seen.cancelled = false;
}

TEST_CASE("a constructor that throws fails open()") {
  void* self = nullptr;
  CHECK(gw_unit_Stage.open(&host, nullptr, godwit::detail::view(R"({"throw": 1})"), &self) == GW_FAILED);
  CHECK(seen.text == "no such configuration");
}
