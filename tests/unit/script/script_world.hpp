#pragma once
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "script/execution.hpp"

namespace godwit::test {

namespace json = base::json;

// A journal and a provider for scripts, without engine or process: every step is answered by a function, and a run can
// be cut off after any recording and taken up again.
class ScriptWorld {
 public:
  // What a step gives; throws model::Failure for one that fails.
  using Provider = std::function<std::string(const script::Request&)>;

  explicit ScriptWorld(std::string text, std::map<std::string, std::string> modules = {}) {
    bundle.file = "job.lua";
    bundle.text = std::move(text);
    bundle.modules = std::move(modules);
  }

  // Takes the run up and goes on until it ends, waits for what `hold` holds back, or `cut` more facts were recorded.
  // False when it was cut off.
  bool go(std::size_t cut = static_cast<std::size_t>(-1));

  const script::End& end() const { return *end_; }
  bool ended() const { return end_.has_value(); }
  std::string result() const {
    return end_ && end_->kind == script::End::Kind::succeeded ? end_->result : "(" + describe() + ")";
  }
  std::string describe() const;
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& step : journal) all.push_back(step.path);
    return all;
  }

  model::ScriptBundle bundle;
  script::Budget budget;
  std::string params = "{}";
  Provider provider = [](const script::Request& request) { return request.input; };
  std::function<bool(const script::Request&)> hold = [](const script::Request&) { return false; };
  std::mt19937_64* shuffle = nullptr;  // answers come in random order
  std::vector<script::RecordedStep> journal;
  std::vector<script::LogLine> logs;
  std::map<std::string, int> calls;  // by path and input: how often a step was really done
  std::map<std::string, int> emitted;  // by topic and row: how often it was written
  std::size_t requests_max = 0;      // the most that were under way at once
  std::size_t lives = 0;

 private:
  void record(script::RecordedStep step);
  void take(script::Output output);

  std::vector<script::Request> open_;
  std::optional<script::End> end_;
  std::int64_t clock_ = 1'700'000'000'000'000;
};

}  // namespace godwit::test
