#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "model/run.hpp"

// What passes between a run of a script, which lives in a host process, and the engine: values only.
namespace godwit::model::script {

// What one script may use.
struct Budget {
  std::uint64_t memory = 256u << 20;             // bytes of Lua's heap
  std::uint64_t text = 16u << 20;                // bytes of one text, and of one value as JSON
  base::Duration cpu = std::chrono::seconds(2);  // of the thread, from one durable step to the next
  std::uint64_t steps = 20'000;                  // recorded and not folded away
};

// What a script may know of its run.
struct RunFacts {
  std::int64_t id = 0;
  std::string job;
  std::string version;
  std::string params;  // JSON object
  std::string seed;    // of random numbers: the same for all lives of the run, unlike for any other run
  base::Instant submitted_at;
  std::string ending;   // the function to be run at the run's end, "on_failure"; empty for the run itself
  std::string outcome;  // JSON object: how the run ended, for that function
};

// One finished step as the journal has it.
struct RecordedStep {
  std::string path;
  StepState state = StepState::succeeded;
  std::int64_t hash = 0;  // of what it was asked to do
  std::string output;     // JSON text
  std::optional<Failure> failure;
  base::Instant at;  // when it was recorded
  std::string line;  // of the script that asked for it: "trip.lua:12"; empty when none did
};

// How a step ended, for the script.
struct Outcome {
  StepState state = StepState::succeeded;
  std::string output;  // JSON text
  std::optional<Failure> failure;
  base::Instant at;
};

// A step that the script asks for and that is not recorded.
struct Request {
  std::uint64_t number = 0;
  std::string path;
  std::string kind;       // "call", "sleep", "wait", "approve", "child", "sql": which gw function asked
  std::string uses;       // of a call: "timetable.search", "flight-search/1.search"; of others the signal or job
  std::int64_t hash = 0;  // of kind, uses and input
  std::string input;      // JSON text
  std::string options;    // JSON object: limits, retry, timeout and so on, as the step keys of YAML are called
  std::string file;
  int line = 0;
};

struct EmittedRow {
  std::string topic;
  std::string row;  // JSON text
};

// What the script decided by itself and what shall be recorded like a step; nothing waits for it.
struct Note {
  std::string path;
  std::int64_t hash = 0;
  std::string output;  // JSON text
  std::string line;    // of the script: "trip.lua:12"; empty for what is folded
  std::vector<EmittedRow> rows;
  bool folds = false;     // this is what was folded away: items `from` to `to` of the loop leave the journal
  bool replaces = false;  // it stands for what was folded away before, too
  std::string loop;       // its path
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

// What goes to people and nowhere else.
struct LogLine {
  std::string level;
  std::string text;
  std::string fields;  // JSON object or empty
};
struct LoopProgress {
  std::string path;
  std::uint64_t total = 0;
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
};

// A lock that the script lets go, by the path of the step that took it.
struct Released {
  std::string path;
  std::string name;
};

// How a run of a script ended.
struct End {
  enum class Kind : std::uint8_t { succeeded, failed, mismatch };
  Kind kind = Kind::succeeded;
  std::string result;       // JSON text
  std::string next_params;  // JSON object: the run that goes on with these; empty for none
  Failure failure;
  std::string path;             // of the step that failed or does not match
  base::json::object recorded;  // of a mismatch: both sides
  base::json::object requested;
};

// What came of letting the script run, in the order of its making.
struct Output {
  std::vector<Note> notes;  // to be recorded before anything that comes of the requests
  std::vector<Request> requests;
  std::vector<std::uint64_t> cancelled;  // requests nobody waits for any more
  std::vector<Released> released;
  std::vector<LogLine> logs;
  std::string progress;  // JSON object of fields, or empty
  std::vector<LoopProgress> loops;
  std::optional<End> end;
  bool more = false;  // it is a part of what came; the rest follows

  bool empty() const {
    return notes.empty() && requests.empty() && cancelled.empty() && released.empty() && logs.empty() &&
           progress.empty() && loops.empty() && !end;
  }
};

}  // namespace godwit::model::script
