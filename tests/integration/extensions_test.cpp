// Goal: what a plugin is given through extensions is what the settings file grants. Method: the real daemon.
#include <catch2/catch.hpp>
#include <fstream>

#include "support/daemon_process.hpp"
#include "support/tiny_server.hpp"

using namespace godwit;
using support::DaemonProcess;
using support::TinyServer;
namespace json = base::json;

namespace {

json::object run(DaemonProcess& daemon, const std::string& name, const std::string& with) {
  const std::string text = "job: " + name + "\nstages:\n  s: {uses: reach, retry_safe: true, with: " + with + "}\n";
  const auto answer = daemon.call("run.submit", {{"file", name + ".yaml"}, {"text", text}});
  return daemon.wait_for_end(answer.at("run").to_number<std::int64_t>());
}

}  // namespace

TEST_CASE("hosts and secrets are granted by the settings file") {
  TinyServer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  const support::TempDir dir;
  std::ofstream(dir / "key") << "s3cret\n";
  support::DaemonOptions options;
  options.settings = "plugins:\n  test.reach:\n    network: {hosts: ['" + server.host() +
                     "']}\n    secrets: {key: {file: " + (dir / "key").string() + "}}\n";
  DaemonProcess daemon(options);
  daemon.start();
  const auto good = run(daemon, "a", "{do: http, url: '" + server.url() + "'}");
  INFO(json::serialize(good));
  CHECK(good.at("state") == "succeeded");
  CHECK_THAT(json::serialize(good.at("result")), Catch::Contains("hello"));
  CHECK_THAT(json::serialize(run(daemon, "b", "{do: http, url: 'http://127.0.0.1:1/'}").at("error")),
             Catch::Contains("host_not_allowed"));
  CHECK(run(daemon, "c", "{do: secret, name: key}").at("result") == "s3cret");
  CHECK_THAT(json::serialize(run(daemon, "d", "{do: secret, name: other}").at("error")), Catch::Contains("no_secret"));
}
