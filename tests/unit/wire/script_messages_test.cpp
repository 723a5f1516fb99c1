// Goal: what scripts and the daemon tell each other arrives as it was, and garbage is refused. Method: there and back,
// cut at every byte.
#include <catch2/catch.hpp>

#include "wire/script_messages.hpp"

using namespace godwit;
using namespace godwit::model::script;

namespace {

Output example() {
  Output output;
  output.notes.push_back({"days[]", 7, "[1,2]", "days.lua:4", {{"prices", "{}"}}, true, false, "days", 3, 9});
  output.requests.push_back({12, "days[0]", "call", "a.b", -5, "{}", R"({"timeout":"3s"})", "job.lua", 8});
  output.cancelled = {1, 2, 3};
  output.logs.push_back({"info", "text", ""});
  output.progress = R"({"best":1})";
  output.loops.push_back({"days", 10, 4, 1});
  output.end.emplace();
  output.end->kind = End::Kind::mismatch;
  output.end->failure = {"code", "message", true, std::chrono::seconds(3)};
  output.end->recorded = {{"path", "a"}};
  output.more = true;
  return output;
}

}  // namespace

TEST_CASE("an output arrives as it was sent") {
  const std::string bytes = wire::pack(example());
  Output back;
  wire::unpack(bytes, back);
  CHECK(wire::pack(back) == bytes);
  CHECK(back.notes.at(0).rows.at(0).topic == "prices");
  CHECK(back.notes.at(0).line == "days.lua:4");
  CHECK(back.requests.at(0).options == R"({"timeout":"3s"})");
  CHECK(back.end->failure.retry_after == base::Duration(std::chrono::seconds(3)));
  CHECK(back.end->recorded.at("path") == "a");
  CHECK(back.more);
}

TEST_CASE("bytes that are cut off or too many are refused") {
  const std::string bytes = wire::pack(example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Output back;
    CHECK_THROWS_AS(wire::unpack(std::string_view(bytes).substr(0, size), back), base::Error);
  }
  Output back;
  CHECK_THROWS_AS(wire::unpack(bytes + "x", back), base::Error);
}
