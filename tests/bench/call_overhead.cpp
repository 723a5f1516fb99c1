// Measures what one call of a plugin costs: 1 KiB in and 1 KiB out, one after the other, from HostPool::start() to the
// listener, beside a bare echo over a socket pair with another process in the same run. Exits with 1 when the call misses
// its numbers, which only mean something on a machine that is idle.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "host_pool/host_pool.hpp"

using namespace godwit;

namespace {

constexpr std::size_t kPayload = 1024;
constexpr int kWarmUp = 2'000;
constexpr int kCalls = 20'000;
constexpr double kMedianMax = 40;  // microseconds
constexpr double kP99Max = 200;

using Clock = std::chrono::steady_clock;

struct Times {
  double p50;
  double p99;
};

// Of `once`, called again and again; the first ones do not count.
template <typename Once>
Times measure(const Once& once) {
  for (int i = 0; i < kWarmUp; ++i) once();
  std::vector<double> took;
  for (int i = 0; i < kCalls; ++i) {
    const auto begin = Clock::now();
    once();
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  std::sort(took.begin(), took.end());
  return {took[took.size() / 2], took[took.size() * 99 / 100]};
}

void transfer(int fd, std::string& bytes, bool out) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = out ? ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL)
                            : ::recv(fd, bytes.data() + done, bytes.size() - done, 0);
    if (got <= 0) ::_exit(0);  // the other side is done
    done += static_cast<std::size_t>(got);
  }
}

Times measure_echo() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::exit(2);
  std::string bytes(kPayload, 'x');
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(fds[0]);
    while (true) {
      transfer(fds[1], bytes, false);
      transfer(fds[1], bytes, true);
    }
  }
  ::close(fds[1]);
  const Times times = measure([&] {
    transfer(fds[0], bytes, true);
    transfer(fds[0], bytes, false);
  });
  ::close(fds[0]);
  ::waitpid(child, nullptr, 0);
  return times;
}

// Waits for one outcome after the other.
class Caller : public engine::StepListener {
 public:
  Caller(boost::asio::io_context& context, host_pool::HostPool& pool)
      : context_(context), pool_(pool), callable_(pool.resolve("noop")) {}

  void call(const std::string& input) {
    engine::StepCall call;
    call.path = "bench";
    call.idempotency_key = "1/bench";
    call.input = input;
    ended_ = false;
    pool_.start(callable_, std::move(call), *this);
    while (!ended_) context_.run_one();
  }

  void started() override {}
  void progress(std::uint64_t, std::uint64_t, std::string) override {}
  void log(engine::LogLevel, std::string, std::string, std::string_view) override {}
  void checkpoint_put(std::string, std::string, std::function<void(bool)>) override {}
  void checkpoint_get(std::string, std::function<void(std::optional<std::string>)>) override {}
  void artifact(engine::Artifact, std::function<void(bool)>) override {}
  void finished(engine::StepOutcome outcome) override {
    ended_ = true;
    if (!std::holds_alternative<engine::StepSucceeded>(outcome)) {
      std::fputs("the call failed\n", stderr);
      std::exit(2);
    }
  }

 private:
  boost::asio::io_context& context_;
  host_pool::HostPool& pool_;
  std::shared_ptr<const engine::Callable> callable_;
  bool ended_ = false;
};

Times measure_calls() {
  boost::asio::io_context context(1);
  const host_pool::PluginCatalog catalog({GODWIT_BINARY_DIR "/test-plugins"}, {});
  host_pool::HostSettings settings;
  settings.program = GODWIT_BINARY_DIR "/bin/godwit-host";
  host_pool::HostPool pool(context, catalog, settings);
  Caller caller(context, pool);
  const std::string input = "\"" + std::string(kPayload - 2, 'x') + "\"";
  return measure([&] { caller.call(input); });
}

}  // namespace

int main() {
  const Times echo = measure_echo();
  const Times calls = measure_calls();
  const Times again = measure_echo();
  std::printf("%-34s %10s %10s\n", "1 KiB in, 1 KiB out", "p50 us", "p99 us");
  std::printf("%-34s %10.1f %10.1f\n", "echo over a socket pair, before", echo.p50, echo.p99);
  std::printf("%-34s %10.1f %10.1f   %.1f x the echo\n", "call of a plugin, sandboxed", calls.p50, calls.p99,
              calls.p50 / std::min(echo.p50, again.p50));
  std::printf("%-34s %10.1f %10.1f\n", "echo over a socket pair, after", again.p50, again.p99);
  const bool good = calls.p50 < kMedianMax && calls.p99 < kP99Max;
  std::printf("%s: p50 < %.0f us and p99 < %.0f us\n", good ? "met" : "MISSED", kMedianMax, kP99Max);
  return good ? 0 : 1;
}
