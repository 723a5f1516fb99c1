#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/unique_fd.hpp"
#include "pool_world.hpp"
#include "support/temp_dir.hpp"
#include "support/tiny_server.hpp"

using namespace godwit;
using support::Listener;
using support::PoolWorld;
using support::TinyServer;

namespace {

// With what the shipped settings grant it.
PoolWorld core_world() {
  host_pool::HostSettings settings;
  settings.plugins = config::read_settings({"--config", "/dev/null"}, {}).settings.plugins;
  return PoolWorld(std::move(settings), {GODWIT_BINARY_DIR "/plugins"});
}

std::string quoted(const std::string& text) {
  return base::json::serialize(base::json::value(text));
}

}  // namespace

TEST_CASE("shell.run gives output as text, lines or JSON") {
  PoolWorld world = core_world();
  CHECK(world.output(world.start("shell.run", R"({"argv": ["echo", "a b"]})")) ==
        R"({"exit_code":0,"stdout":"a b\n","stderr":""})");
  CHECK(world.output(world.start("shell.run", R"({"script": "echo 1; echo 2", "stdout": "lines"})")) ==
        R"({"exit_code":0,"stdout":["1","2"],"stderr":""})");
  CHECK(world.output(world.start("shell.run", R"({"argv": ["cat"], "stdin": {"x": [1]}, "stdout": "json"})")) ==
        R"({"exit_code":0,"stdout":{"x":[1]},"stderr":""})");
  CHECK_THAT(world.output(world.start(
                 "shell.run", R"({"script": "echo $A; pwd; printf '\\377'", "env": {"A": "7"}, "cwd": "/usr"})")),
             Catch::Contains("7\\n/usr\\n\xEF\xBF\xBD"));
}

TEST_CASE("a program that fails says so with its code and its last words") {
  PoolWorld world = core_world();
  Listener& call = world.start("shell.run", R"({"script": "echo why >&2; exit 3"})");
  CHECK_THAT(world.output(call), Catch::StartsWith("failed: exit_3") && Catch::Contains("why"));
  CHECK(call.has_line("why"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"script": "exit 3", "ok_exit_codes": [0, 3]})")),
             Catch::Contains(R"("exit_code":3)"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"argv": ["/no/such"]})")),
             Catch::StartsWith("failed: not_started"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"argv": ["no-such-program"]})")),
             Catch::StartsWith("failed: not_started"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"script": "kill -9 $$"})")),
             Catch::StartsWith("failed: killed") && Catch::Contains("SIGKILL"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"script": "yes | head -c 100000", "max_output": 1000})")),
             Catch::StartsWith("failed: too_big"));
  CHECK_THAT(world.output(world.start("shell.run", R"({"argv": ["echo", "x"], "stdout": "json"})")),
             Catch::StartsWith("failed: bad_output"));
  CHECK_THAT(world.output(world.start("shell.run", R"({})")), Catch::StartsWith("failed: bad_input"));
}

TEST_CASE("a large input and a large output pass at the same time") {
  PoolWorld world = core_world();
  const std::string text(1'000'000, 'x');
  CHECK(world
            .output(
                world.start("shell.run", R"({"argv": ["cat"], "max_output": 2000000, "stdin": )" + quoted(text) + "}"))
            .size() > text.size());
}

TEST_CASE("a program need not read its input") {
  PoolWorld world = core_world();
  const std::string text = quoted(std::string(300'000, 'x'));
  for (int i = 0; i < 5; ++i)
    CHECK_THAT(world.output(world.start("shell.run", R"({"script": "echo done", "stdin": )" + text + "}")),
               Catch::Contains("done"));
}

TEST_CASE("the whole process group of a program is gone after the deadline, a cancellation, and the plugin's death") {
  PoolWorld world = core_world();
  const support::TempDir folder;
  const std::string fifo = (folder / "fifo").string();
  const std::string args = R"({"script": "mkfifo FIFO 2>/dev/null; sleep 1000 > FIFO & echo up >&2; sleep 1000"})";
  // The reader sees the end only when the background process, which has the other end, is gone.
  const auto run = [&](int number, base::Duration timeout) -> std::pair<Listener*, std::string> {
    const std::string own = fifo + std::to_string(number);
    std::string script = args;
    for (auto at = script.find("FIFO"); at != std::string::npos; at = script.find("FIFO")) script.replace(at, 4, own);
    Listener& call = world.start("shell.run", script, timeout);
    world.run_until([&] { return call.has_line("up") || call.outcome; });
    return {&call, own};
  };
  const auto finish = [&](const std::pair<Listener*, std::string>& running) {
    // An end of our own lets the reader open even if nobody is left.
    base::UniqueFd own(::open(running.second.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    std::ifstream reader(running.second);
    own.reset();
    CHECK(reader.get() == EOF);
  };
  auto timed = run(1, std::chrono::milliseconds(200));
  CHECK(world.failure(*timed.first).code == "timeout");
  finish(timed);
  auto cancelled = run(2, {});
  world.pool().cancel(world.last());
  CHECK(world.output(*cancelled.first) == "cancelled");
  finish(cancelled);
  auto orphaned = run(3, {});
  ::kill(static_cast<pid_t>(world.status("core").at("pid").as_int64()), SIGKILL);
  CHECK_THAT(world.output(*orphaned.first), Catch::StartsWith("lost: crashed") && Catch::Contains("SIGKILL"));
  finish(orphaned);
}

TEST_CASE("sleep sleeps and wakes when it is cancelled; fail fails") {
  PoolWorld world = core_world();
  CHECK(world.output(world.start("sleep", R"({"seconds": 0.01})")) == "null");
  CHECK(world.output(world.start("sleep", R"({"duration": "5ms"})")) == "null");
  CHECK_THAT(world.output(world.start("sleep", R"({"duration": "soon"})")), Catch::StartsWith("failed: bad_input"));
  Listener& call = world.start("sleep", R"({"duration": "1h"})");
  world.run_until([&] { return call.starts == 1; });
  world.pool().cancel(world.last());
  CHECK(world.output(call) == "cancelled");
  CHECK(world.failure(world.start("fail", R"({"code": "x", "message": "y", "retryable": true})")) ==
        model::Failure{"x", "y", true, {}});
}

TEST_CASE("http.request sends what it is told and reads what comes") {
  PoolWorld world = core_world();
  const TinyServer server(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 7\r\nConnection: "
      "close\r\n\r\n{\"a\":1}");
  const std::string args = R"({"url": )" + quoted(server.url()) +
                           R"(, "query": {"q": "a b&c", "n": 3}, "headers": {"X-Key": "k"}, "json": {"b": 2}})";
  const std::string output = world.output(world.start("http.request", args));
  CHECK_THAT(output, Catch::Contains(R"("status":200)") && Catch::Contains(R"("json":{"a":1})") &&
                         Catch::Contains(R"("x-a":"1, 2")"));
  CHECK_THAT(server.request(),
             Catch::StartsWith("POST /?q=a%20b%26c&n=3 ") || Catch::StartsWith("POST /?q=a+b%26c&n=3 "));
  CHECK_THAT(server.request(), Catch::Contains("X-Key: k\r\n") && Catch::Contains("Content-Type: application/json") &&
                                   Catch::Contains(R"({"b":2})"));
}

TEST_CASE("http.request passes on what the server says it has left") {
  PoolWorld world = core_world();
  const auto quotas = [&](const std::string& headers, const std::string& status = "200 OK") {
    const TinyServer server("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n" + headers + "\r\n");
    auto& call = world.start("http.request", R"({"url": )" + quoted(server.url()) + "}");
    world.wait(call);
    return call.quotas;
  };
  const auto standard = quotas("RateLimit-Remaining: 40\r\nRateLimit-Reset: 12\r\n");
  REQUIRE(standard.size() == 1);
  CHECK(standard[0].remaining == 40);
  CHECK(standard[0].reset == std::chrono::seconds(12));
  const auto absolute = std::to_string(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 100);
  const auto older = quotas("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: " + absolute + "\r\n", "429 Enough");
  REQUIRE(older.size() == 1);
  CHECK(older[0].remaining == 0);
  CHECK(older[0].reset > std::chrono::seconds(80));
  CHECK(older[0].reset <= std::chrono::seconds(101));
  CHECK(quotas("RateLimit-Remaining: many\r\nRateLimit-Reset: 12\r\n").empty());
  CHECK(quotas("").empty());
}

TEST_CASE("http.request tells what may be retried from what may not") {
  PoolWorld world = core_world();
  const auto failure = [&](const std::string& answer, const std::string& more = "") {
    const TinyServer server(answer);
    return world.failure(world.start("http.request", R"({"url": )" + quoted(server.url()) + more + "}"));
  };
  const auto busy =
      failure("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK(busy.code == "http_429");
  CHECK(busy.retryable);
  CHECK(busy.retry_after == base::Duration(std::chrono::seconds(7)));
  CHECK(failure("HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").retryable);
  const auto missing = failure("HTTP/1.1 404 No\r\nContent-Length: 7\r\nConnection: close\r\n\r\nnothing");
  CHECK(missing.code == "http_404");
  CHECK_FALSE(missing.retryable);
  CHECK_THAT(missing.message, Catch::Contains("nothing"));
  CHECK(
      failure("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n1234567", R"(, "max_body": 3)").code ==
      "too_big");
  CHECK(failure("HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .code == "network");
  CHECK(failure("").retryable);  // it closed without an answer
  const auto refused = world.failure(world.start("http.request", R"({"url": "http://127.0.0.1:1/"})"));
  CHECK(refused.code == "network");
  CHECK(refused.retryable);
  CHECK(world.failure(world.start("http.request", R"({"url": "file:///etc/passwd"})")).code == "bad_input");
}
