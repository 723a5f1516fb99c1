#include "lab/verdict.hpp"

#include <algorithm>

#include "lab/difference.hpp"
#include "lab/journal_view.hpp"

namespace godwit::lab {
namespace {

// Items before items with a higher number: search[2] before search[10].
bool earlier(const SentCall& a, const SentCall& b) {
  if (a.step.size() != b.step.size() && a.step.substr(0, a.step.find('[')) == b.step.substr(0, b.step.find('[')))
    return a.step.size() < b.step.size();
  return std::tie(a.step, a.attempt) < std::tie(b.step, b.attempt);
}

class Judge {
 public:
  Judge(const Expectation& expect, const Outcome& outcome, expression::Language& language)
      : expect_(expect), outcome_(outcome), language_(language), journal_(view_of(outcome)) {
    for (const auto& call : outcome.calls)
      if (call.run == outcome.run) calls_.push_back(call);
    std::stable_sort(calls_.begin(), calls_.end(), earlier);
    for (const auto& call : outcome.calls) counted_.push_back(call.method);
    for (const auto& row : outcome.memory.emitted) emitted_[row.topic].push_back(base::parse_json(row.row));
  }

  std::vector<std::string> lines() {
    lines_ = outcome_.faults;
    check_state();
    if (expect_.result) compare(*expect_.result, result(), Match::whole, "result");
    if (expect_.has) compare(*expect_.has, result(), Match::part, "result");
    check_error();
    for (const auto& [method, calls] : expect_.calls) check_calls(method, calls);
    for (const auto& [path, step] : expect_.steps) check_step(path, step);
    for (const auto& [topic, rows] : expect_.emitted) check_rows(topic, rows);
    check_that();
    check_time();
    return std::move(lines_);
  }

 private:
  static json::object view_of(const Outcome& outcome) {
    const auto found = outcome.memory.runs.find(outcome.run);
    return found == outcome.memory.runs.end() ? json::object() : journal_view(found->second);
  }
  const json::value& result() const {
    static const json::value nothing;
    const auto* value = journal_.if_contains("result");
    return value ? *value : nothing;
  }
  std::string error() const {
    const auto* error = journal_.if_contains("error");
    if (!error) return outcome_.state == kRefused ? outcome_.why : std::string();
    return std::string(error->at("code").as_string()) + ": " + std::string(error->at("message").as_string());
  }

  void check_state() {
    if (outcome_.state == expect_.state) return;
    const std::string more = !error().empty() ? error() : outcome_.why;
    lines_.push_back("state: expected " + expect_.state + ", got " + outcome_.state +
                     (more.empty() ? "" : " (" + more + ")"));
  }

  void check_error() {
    if (expect_.error && error().find(*expect_.error) == std::string::npos)
      lines_.push_back("error: expected \"" + *expect_.error + "\" in it, got \"" + error() + "\"");
    if (!expect_.failed_step) return;
    const auto* path = journal_.if_contains("failed_step");
    compare(json::value(*expect_.failed_step), path ? *path : json::value(), Match::whole, "failed_step");
  }

  void check_calls(const std::string& method, const ExpectedCalls& expected) {
    if (expected.times) {
      const auto times = std::count(counted_.begin(), counted_.end(), method);
      if (times != *expected.times)
        lines_.push_back("calls of " + method + ": expected " + std::to_string(*expected.times) + ", got " +
                         std::to_string(times));
    }
    if (!expected.inputs) return;
    json::array inputs;
    for (const auto& call : calls_)
      if (call.method == method) inputs.push_back(call.input);
    compare(*expected.inputs, inputs, Match::part, "calls of " + method);
  }

  void check_step(const std::string& path, const ExpectedStep& expected) {
    const auto* steps = journal_.if_contains("steps");
    const auto* step = steps ? steps->as_object().if_contains(path) : nullptr;
    const std::string here = "step " + path;
    const std::string state = step ? std::string(step->at("state").as_string()) : "none";
    // A stage that is skipped is a step; what a script leaves out is none.
    if (state == "none" && expected.state == "skipped") return;
    if (state != expected.state.value_or(state == "none" ? "succeeded" : state))
      return lines_.push_back(here + ": expected " + expected.state.value_or("a step") + ", got " +
                              (step ? state : "no such step"));
    if (!step) return expected.state ? void() : lines_.push_back(here + ": there is no such step");
    if (expected.attempts) {
      const auto attempt = outcome_.memory.runs.at(outcome_.run).steps.at(path).attempt;
      compare(json::value(*expected.attempts), json::value(attempt), Match::whole, here + " attempts");
    }
    if (expected.output) compare(*expected.output, step->at("output"), Match::whole, here + " output");
    if (!expected.error) return;
    const auto* failure = step->as_object().if_contains("error");
    const std::string text =
        failure ? std::string(failure->at("code").as_string()) + ": " + std::string(failure->at("message").as_string())
                : "";
    if (text.find(*expected.error) == std::string::npos)
      lines_.push_back(here + " error: expected \"" + *expected.error + "\" in it, got \"" + text + "\"");
  }

  void check_rows(const std::string& topic, const ExpectedRows& expected) {
    json::array rows;
    if (const auto found = emitted_.find(topic); found != emitted_.end()) rows = found->second;
    const std::string here = "emitted " + topic;
    if (expected.count && static_cast<std::int64_t>(rows.size()) != *expected.count)
      lines_.push_back(here + ": expected " + std::to_string(*expected.count) + " rows, got " +
                       std::to_string(rows.size()));
    if (expected.rows) compare(sorted(*expected.rows), sorted(std::move(rows)), Match::whole, here);
  }

  // Steps end in any order, and so do their rows.
  static json::array sorted(json::array rows) {
    std::sort(rows.begin(), rows.end(),
              [](const auto& a, const auto& b) { return base::canonical(a) < base::canonical(b); });
    return rows;
  }

  void check_that() {
    if (expect_.that.empty()) return;
    json::object calls, emitted;
    for (const auto& call : calls_) {
      auto& list = calls[call.method];
      if (!list.is_array()) list = json::array();
      list.get_array().push_back(call.input);
    }
    for (const auto& [topic, rows] : emitted_) emitted[topic] = rows;
    const json::value steps = journal_.contains("steps") ? journal_.at("steps") : json::object();
    const json::value params = journal_.contains("params") ? journal_.at("params") : json::object();
    const json::value all_calls = std::move(calls), all_emitted = std::move(emitted);
    expression::Scope scope;
    scope.set("result", result());
    scope.set("steps", steps);
    scope.set("params", params);
    scope.set("calls", all_calls);
    scope.set("emitted", all_emitted);
    for (const auto& that : expect_.that) check_one(that, scope);
  }

  void check_one(const model::Expression& that, const expression::Scope& scope) {
    try {
      const auto value = language_.evaluate(*language_.compile(that), scope);
      if (value.is_null() || value == json::value(false))
        lines_.push_back(that.place.text() + ": this is not so: " + that.source);
    } catch (const base::Error& error) {
      lines_.push_back(error.what());
    }
  }

  void check_time() {
    const auto took = base::format_duration(outcome_.took);
    if (expect_.took_least && outcome_.took < *expect_.took_least)
      lines_.push_back("took: expected at least " + base::format_duration(*expect_.took_least) + ", got " + took);
    if (expect_.took_most && outcome_.took > *expect_.took_most)
      lines_.push_back("took: expected at most " + base::format_duration(*expect_.took_most) + ", got " + took);
  }

  void compare(const json::value& expected, const json::value& got, Match match, const std::string& path) {
    for (auto& line : differences(expected, got, match, path)) lines_.push_back(std::move(line));
  }

  const Expectation& expect_;
  const Outcome& outcome_;
  expression::Language& language_;
  json::object journal_;
  std::vector<SentCall> calls_;       // of the run itself, by step and attempt
  std::vector<std::string> counted_;  // methods, of the jobs it called too
  std::map<std::string, json::array> emitted_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> verdict(const Expectation& expect, const Outcome& outcome, expression::Language& language) {
  return Judge(expect, outcome, language).lines();
}

}  // namespace godwit::lab
