// Goal: who loses the daemon on the way learns what was done, or goes on when it is back. Method: daemons that close the
// connection at a chosen request.
#include <catch2/catch.hpp>

#include "fake_daemon.hpp"

using namespace godwit;
using cli::test::FakeDaemon;
namespace json = base::json;

TEST_CASE("a submit of many that is cut off says what is stored") {
  std::int64_t runs = 0;
  bool at_once = false;
  const FakeDaemon daemon([&](int, const std::string&, const json::object& params) -> json::value {
    if (at_once || runs > 5000) throw FakeDaemon::Gone();
    json::array numbers;
    for (std::size_t i = 0; i < params.at("params").as_array().size(); ++i) numbers.push_back(++runs);
    return json::object{{"runs", std::move(numbers)}};
  });
  auto result = daemon.cli({"submit", "nap", "-n", "20000"});
  CHECK(result.exit_code == 4);
  CHECK_THAT(result.err, Catch::Contains("the connection to the daemon was lost") &&
                             Catch::Contains("10,000 of 20,000 runs were stored, 1 to 10000") &&
                             Catch::Contains("whether those of the last request were stored is not known"));
  runs = 0;
  result = daemon.cli({"submit", "nap", "-n", "20000", "--json"});
  CHECK(json::parse(result.out).at("runs").as_array().size() == 10000);
  at_once = true;
  CHECK_THAT(daemon.cli({"submit", "nap", "-n", "20000"}).err,
             Catch::Contains("none of 20,000 runs is known to be stored"));
}

TEST_CASE("the log of a run goes on where it was when the daemon is back") {
  FakeDaemon* says = nullptr;
  std::vector<std::int64_t> asked;
  FakeDaemon daemon([&](int client, const std::string& method, const json::object& params) -> json::value {
    if (method == "run.follow") {
      if (client == 1) says->event({{"event", "state"}, {"run", 7}, {"state", "succeeded"}});
      return json::object{{"subscription", 1}};
    }
    const auto after = params.at("after").to_number<std::int64_t>();
    if (client == 0 && after > 0) throw FakeDaemon::Gone();
    asked.push_back(after);
    if (after > client) return json::array();
    return json::array{json::object{{"seq", client + 1}, {"level", "info"}, {"text", "line " + std::to_string(client)}}};
  });
  says = &daemon;
  const auto result = daemon.cli({"logs", "7", "--follow"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, Catch::Contains("trying again") && Catch::Contains("the daemon is back"));
  CHECK(asked.at(0) == 0);
  CHECK(asked.at(1) == 1);
  CHECK_THAT(result.out, Catch::Contains("line 0") && Catch::Contains("line 1"));
}
