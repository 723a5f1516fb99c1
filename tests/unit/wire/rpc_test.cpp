#include <catch2/catch.hpp>

#include "wire/rpc.hpp"

using namespace godwit;
namespace json = base::json;

namespace {

wire::RpcRefusal refusal_of(std::string_view line) {
  const auto decoded = wire::decode_rpc_request(line);
  REQUIRE(std::holds_alternative<wire::RpcRefusal>(decoded));
  return std::get<wire::RpcRefusal>(decoded);
}

std::string_view without_line_feed(const std::string& line) {
  REQUIRE(line.find('\n') == line.size() - 1);
  return std::string_view(line).substr(0, line.size() - 1);
}

}  // namespace

TEST_CASE("A request comes out of its line as it went in") {
  std::string line;
  wire::encode_rpc_request({"a-7", "run.show", {{"run", 17}, {"text", "two\nlines \"quoted\""}}}, line);
  const auto decoded = wire::decode_rpc_request(without_line_feed(line));
  REQUIRE(std::holds_alternative<wire::RpcRequest>(decoded));
  const auto& request = std::get<wire::RpcRequest>(decoded);
  CHECK(request.id == "a-7");
  CHECK(request.method == "run.show");
  CHECK(request.params.at("text") == "two\nlines \"quoted\"");
}

TEST_CASE("A line that is no request is refused with the code JSON-RPC gives to its fault") {
  CHECK(refusal_of("hello").code == wire::kRpcParseError);
  CHECK(refusal_of("").code == wire::kRpcParseError);
  CHECK(refusal_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\xff\"}").code == wire::kRpcParseError);
  CHECK(refusal_of(std::string(100'000, '[')).code == wire::kRpcParseError);
  CHECK(refusal_of("[]").code == wire::kRpcInvalidRequest);
  CHECK(refusal_of("7").code == wire::kRpcInvalidRequest);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","method":"a"})").code == wire::kRpcInvalidRequest);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","id":[],"method":"a"})").code == wire::kRpcInvalidRequest);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","id":1.5,"method":"a"})").code == wire::kRpcInvalidRequest);
}

TEST_CASE("A refused request that says its id gets it back") {
  CHECK(refusal_of(R"({"id":5,"method":"a"})").id == 5);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","id":5})").id == 5);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","id":5,"method":7})").id == 5);
  CHECK(refusal_of(R"({"jsonrpc":"2.0","id":5,"method":"a","params":[1]})").id == 5);
}

TEST_CASE("An error keeps its kind and all its problems on the way to the client") {
  const base::Error error(base::ErrorKind::refused, {{"unknown key 'fornach'", {"flock.yaml", 12, 7, "stages.search"}, "did you mean 'foreach'?"},
                                                     {"no stages", {}, {}}});
  std::string line;
  wire::encode_rpc_error(3, error, line);
  CHECK(base::parse_json(without_line_feed(line)).at("error").at("code") == base::info(base::ErrorKind::refused).rpc_code);
  const auto reply = wire::decode_rpc_reply(without_line_feed(line));
  const auto& answer = std::get<wire::RpcAnswer>(reply);
  REQUIRE(answer.error);
  CHECK(answer.id == 3);
  CHECK(answer.error->kind() == base::ErrorKind::refused);
  CHECK(std::string(answer.error->what()) == error.what());
}

TEST_CASE("Results and events come out of their lines as they went in") {
  std::string line;
  wire::encode_rpc_result("x", json::object{{"run", 17}}, line);
  auto reply = wire::decode_rpc_reply(without_line_feed(line));
  CHECK(std::get<wire::RpcAnswer>(reply).result == json::value(json::object{{"run", 17}}));
  line.clear();
  wire::encode_rpc_event(9, {{"event", "log"}, {"text", "a\nb"}}, line);
  reply = wire::decode_rpc_reply(without_line_feed(line));
  CHECK(std::get<wire::RpcEvent>(reply).subscription == 9);
  CHECK(json::value(std::get<wire::RpcEvent>(reply).event) == json::value(json::object{{"event", "log"}, {"text", "a\nb"}}));
  line.clear();
  wire::encode_rpc_event(9, {}, line);
  CHECK(std::get<wire::RpcEvent>(wire::decode_rpc_reply(without_line_feed(line))).event.empty());
}

TEST_CASE("What is not a reply of a daemon is an error, not a crash") {
  for (const auto* line : {"", "x", "[]", "{}", R"({"id":1})", R"({"id":1,"error":7})", R"({"method":"event"})", R"({"method":"event","params":{}})",
                           R"({"method":"other","params":{"subscription":1}})"}) {
    CHECK_THROWS_AS(wire::decode_rpc_reply(line), base::Error);
  }
}

TEST_CASE("Every truncation of a request is refused or is the request itself") {
  std::string line;
  wire::encode_rpc_request({1, "run.submit", {{"job", "flock"}, {"params", json::object{{"n", 1.5}}}}}, line);
  for (std::size_t length = 0; length + 1 < line.size(); ++length) CHECK(refusal_of(std::string_view(line).substr(0, length)).code == wire::kRpcParseError);
}
