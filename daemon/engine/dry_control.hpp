#pragma once
#include <set>
#include <string>
#include <vector>

#include "engine/driver.hpp"
#include "engine/step_runner.hpp"

namespace godwit::engine {

// Lets a driver say what it would do, and nothing happens: for looking at a run through another version of its job.
class DryControl : public RunControl {
 public:
  DryControl(const Submitted& record, const StepRunner& steps, base::Instant now)
      : record_(record), steps_(steps), now_(now) {}

  // Why the run would not go on; empty when it would.
  const std::string& problem() const { return problem_; }

  const Submitted& record() const override { return record_; }
  void wake() override {}
  void fail(model::Failure failure, std::string path) override { note("fails at " + path + ": " + failure.message); }
  void block(std::string why, std::string, base::json::object) override { note(why); }
  std::shared_ptr<const Callable> resolve(const std::string& uses, const std::string&) override {
    try {
      return steps_.resolve(uses);
    } catch (const base::Error& error) {
      note(error.what());
      return nullptr;
    }
  }
  void append(std::vector<Fact>, std::function<void(const Verdict&)>) override {}
  void progressed() override {}
  void show_fields(base::json::object) override {}
  void log(LogLevel, std::string, std::string) override {}
  void cancel(const std::string&) override {}
  void check_limit(const std::string&, int) const override {}
  void release_lock(const std::string&, const std::string&) override {}
  base::Instant now() const override { return now_; }
  base::Instant next_end() override { return now_; }

 private:
  void note(const std::string& problem) {
    if (problem_.empty()) problem_ = problem;
  }
  const Submitted& record_;
  const StepRunner& steps_;
  base::Instant now_;
  std::string problem_;
};

}  // namespace godwit::engine
