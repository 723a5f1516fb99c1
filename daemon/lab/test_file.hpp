#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "lab/recording.hpp"
#include "model/job.hpp"
#include "model/run.hpp"

namespace godwit::lab {

// One way a mocked method can answer. Expressions see `input`, `attempt` and `step`.
struct MockRule {
  struct Lost {};  // the plugin's process is lost in mid-call
  using Answer = std::variant<model::Template, model::Failure, std::shared_ptr<const Recording>, Lost>;

  std::optional<model::Expression> when;  // else it fits every call
  std::optional<int> attempt;             // only this attempt of a step
  base::Duration takes{};                 // of the job's time
  Answer answer = model::Template{};
};

// A method (as jobs write it after `uses`) that a test answers itself: the first rule that fits a call.
struct Mock {
  std::vector<MockRule> rules;
  std::optional<bool> retry_safe;  // else what the installed plugin says, or true
};
using Mocks = std::map<std::string, Mock>;

// Something that happens to the run from outside.
struct Event {
  enum class Kind { pause, resume, cancel, signal, approve, reject };
  Kind kind = Kind::pause;
  base::Duration at{};          // from the submit
  std::string name;             // of the signal, or of the step that waits for approval
  json::value payload;          // of a signal
  std::string comment;          // on an approval
  std::string by = "the test";  // who does it
  std::vector<std::string> roles;
  base::Place place;
};

// Compares a value: whole, or as far as the pattern's members go.
struct ExpectedCalls {
  std::optional<std::int64_t> times;
  std::optional<json::array> inputs;  // one pattern for each call, by step and attempt
};
struct ExpectedStep {
  std::optional<std::string> state;
  std::optional<std::int64_t> attempts;
  std::optional<json::value> output;
  std::optional<std::string> error;  // a part of "code: message"
};
struct ExpectedRows {
  std::optional<std::int64_t> count;
  std::optional<json::array> rows;  // in any order
};

// What the state of a run is called that was not accepted.
inline constexpr std::string_view kRefused = "refused";

// What must be true of a run that has come to its end, or to where it waits for somebody.
struct Expectation {
  std::string state = "succeeded";  // of the run; "refused" when the submit is to be refused
  std::optional<json::value> result;
  std::optional<json::value> has;    // a pattern of the result
  std::optional<std::string> error;  // a part of "code: message"
  std::optional<std::string> failed_step;
  std::map<std::string, ExpectedCalls> calls;
  std::map<std::string, ExpectedStep> steps;
  std::map<std::string, ExpectedRows> emitted;
  std::vector<model::Expression> that;  // see `result`, `steps`, `calls` and `emitted`
  std::optional<base::Duration> took_least, took_most;
};

struct Test {
  std::string name;
  base::Place place;
  json::object params;
  Mocks mocks;                                // go before those of the file
  std::shared_ptr<const Recording> recorded;  // answers what no mock does
  std::vector<Event> events;                  // by time
  Expectation expect;
};

// The tests of one job, as `x.test.yaml` says them.
struct TestFile {
  std::string file;
  std::vector<std::filesystem::path> jobs;  // forms of one and the same job: the tests hold for each
  base::Instant start;                      // what the clock says at the submit
  std::map<std::string, int> limits;
  std::set<std::string> real;  // methods that are called although they are not pure
  Mocks mocks;
  std::vector<Test> tests;
};

}  // namespace godwit::lab
