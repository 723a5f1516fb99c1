// The one main() of all test programs. A test that makes random choices prints its seed itself; the order of tests is
// Catch2's own seed.
#define CATCH_CONFIG_RUNNER
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <catch2/catch.hpp>
#include <deque>
#include <iostream>
#include <mutex>

namespace {

// What the code under test logs, held back until the test it belongs to fails.
class HeldLog : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void forget() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }
  void print(std::ostream& out) {
    const std::lock_guard lock(mutex_);
    for (const auto& line : lines_) out << line;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    lines_.emplace_back(text.data(), text.size());
    if (lines_.size() > kKept) lines_.pop_front();
  }
  void flush_() override {}

 private:
  static constexpr std::size_t kKept = 200;
  std::deque<std::string> lines_;
};

const auto held_log = std::make_shared<HeldLog>();

struct Failed {
  std::string test, place, checked, found;
};
// In the order in which they failed.
std::vector<Failed> failed;

class FailureListener : public Catch::TestEventListenerBase {
 public:
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& test) override {
    test_ = test.name;
    held_log->forget();
  }
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    const auto& result = stats.assertionResult;
    if (result.isOk()) return true;
    const auto source = result.getSourceInfo();
    std::string found =
        result.hasExpandedExpression() ? result.getExpandedExpression() : std::string(result.getMessage());
    for (const auto& info : stats.infoMessages) found += "\n    " + info.message;
    failed.push_back({test_, std::string(source.file) + ":" + std::to_string(source.line),
                      result.getExpressionInMacro(), std::move(found)});
    return true;
  }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.assertions.failed == 0) return;
    std::cout << "what was logged in \"" << stats.testInfo.name << "\":\n";
    held_log->print(std::cout);
    std::cout << std::endl;
  }

 private:
  std::string test_;
};

CATCH_REGISTER_LISTENER(FailureListener)

// Whoever is shown only the end of a long output sees here what it was about.
void print_failed() {
  for (const auto& it : failed)
    std::cout << it.place << ": \"" << it.test << "\"\n  " << it.checked << "\n  " << it.found << "\n";
}

}  // namespace

int main(int count, char* arguments[]) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", held_log));
  Catch::Session session;
  // A test that checks nothing, or a pattern that no test has, is a failure; the command line takes only one of the two.
  session.configData().warnings =
      static_cast<Catch::WarnAbout::What>(Catch::WarnAbout::NoAssertions | Catch::WarnAbout::NoTests);
  const int refused = session.applyCommandLine(count, arguments);
  if (refused != 0) return refused;
  const int ended = session.run();
  print_failed();
  if (ended != 0)
    std::cout << "order of the tests: --order rand --rng-seed " << session.config().rngSeed() << std::endl;
  return ended;
}
