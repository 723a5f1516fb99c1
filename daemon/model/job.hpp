#pragma once
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "model/limit.hpp"
#include "model/schedule.hpp"
#include "model/script_run.hpp"

namespace godwit::model {

namespace json = base::json;

// The text inside one ${...}: Lua without the pattern functions.
struct Expression {
  std::string source;
  base::Place place;
};

// A value of a job file whose strings may hold ${...}. A string that is one ${...} and nothing else becomes the
// expression's value with its type; in a longer string the value's text is put in its place.
struct Template {
  json::value value;
  base::Place place;  // of the key
  // Where each ${...} of a string stands, in their order, by the string's path below the key ("origin", "days[2]"; ""
  // for the value itself).
  std::map<std::string, std::vector<base::Place>> expressions;
};

// Something that must be true of the parameters beyond their schema: a return that is not before its departure.
struct Check {
  Expression that;
  Template message;  // what the person reads who broke it
  std::string path;  // the parameter it is about, for the error's place; may be empty
};

// What happens to a foreach when the step of one item has failed for good.
enum class OnItemError { fail, skip, record };

// When a failed attempt is made again. Only retryable failures are; the n-th pause is min(max, backoff * factor^(n-1)),
// changed by up to
// +-jitter of itself, and never less than what the provider asked for.
struct Retry {
  int attempts = 1;  // in all, the first one included
  base::Duration backoff = std::chrono::seconds(1);
  base::Duration max = std::chrono::minutes(5);
  double factor = 2.0;
  double jitter = 0.2;  // 0 to 1
};

// Rows a stage writes in the transaction that records its step.
struct Emit {
  std::string to;  // the topic under which view godwit.emitted shows them
  Template rows;   // one row or a list of rows; may use `output`
};

// What a stage does.
enum class StageKind { call, statement, sleep, signal, approval, child, lock };
inline constexpr std::array<std::string_view, 7> kStageKinds{"call",     "statement", "sleep", "signal",
                                                             "approval", "child",     "lock"};
inline std::string_view name(StageKind kind) {
  return kStageKinds[static_cast<std::size_t>(kind)];
}

// What a stage waits for that calls no plugin. How long at most is the stage's timeout.
struct Wait {
  Template what;  // sleep: a duration or an instant; signal, lock: its name; approval: its text
  std::vector<std::string> who;            // approval: users, or "role:operator"; empty for everybody who may approve
  std::optional<base::Duration> reminder;  // approval: after which it is said again
  bool goes_on = false;                    // a rejection, or nothing in time, is no failure
  int permits = 1;                         // lock: how many may have it at once
};

// How a foreach gets more items while it runs: what each item's step adds.
struct Grow {
  Expression items;               // the list a step adds, in terms of `output` and `item`
  std::optional<Expression> key;  // of an item; each key is done once. The whole item when absent
  int depth = 1'000'000;          // items added by items added ... so often at most
  int max = 1'000'000;            // items in all; what comes beyond is left away
};

// What a step takes of one limit.
struct LimitUse {
  int count = 1;                     // permits, or tokens of a rate
  std::optional<Expression> amount;  // which gives the count
  bool estimate = false;             // the provider says what it was in truth
  std::optional<Template> key;       // the limit's name where that holds ${...}
};

// A named part of a job. With `foreach` it makes one step for each item, else one step.
struct Stage {
  std::string name;
  base::Place place;
  std::vector<std::string> needs;
  std::optional<Expression> when;
  std::optional<Expression> foreach;
  std::optional<Grow> grow;
  std::vector<Stage> stages;  // what is done for each item of a foreach, instead of `uses`
  int parallel = 32;          // items of one foreach in flight at once
  StageKind kind = StageKind::call;
  std::string uses;  // call: "flight-search/1.search", "timetable.search"; statement: "sql.exec"; child: a job's name
  base::Place uses_place;
  Template with;
  Template env;  // an object of texts, the job's own included; for methods that take `env`
  Wait wait;
  std::optional<Template> output;  // what is kept of the output, in terms of `output`; the whole when absent
  std::map<std::string, LimitUse> limits;  // by name as it is written: "amadeus", "tenant:${ params.tenant }"
  Retry retry;
  std::optional<base::Duration> timeout;
  OnItemError on_item_error = OnItemError::fail;
  bool waits_for_provider = true;  // while that is taken for down; else the attempt fails
  std::optional<bool> retry_safe;  // overrides what the plugin says of the method
  std::optional<Emit> emit;
};

// How a run may end, and the stages that run then, before its end is recorded.
enum class Ending { failure, success, cancel };
inline constexpr std::array<std::string_view, 3> kEndings{"on_failure", "on_success", "on_cancel"};
inline std::string_view name(Ending ending) {
  return kEndings[static_cast<std::size_t>(ending)];
}

// What a submit does when a run of the job with the same key has not ended.
struct Unique {
  Expression key;       // in terms of `params`
  bool refuses = true;  // else it gives the run that is there
};

// How many runs of the job with the same key may be at work at once, and what becomes of one more.
struct Concurrency {
  enum class Then { queue, skip, cancel_older };
  std::optional<Expression> key;  // in terms of `params`; all runs of the job when absent
  int limit = 1;
  Then then = Then::queue;
};
inline constexpr std::array<std::string_view, 3> kConcurrencyThen{"queue", "skip", "cancel_older"};

// What follows a run that has succeeded: one of the same job with other parameters, which begins as this one ends.
struct ContinueAs {
  std::optional<Expression> when;
  Template with;  // the parameters
};

// What the stage does, in a word or two for people: its method, "run nightly", "sleep".
std::string work_text(const Stage& stage);

// What a Lua job says beside what every job says.
struct Script {
  script::Budget budget;
  json::object step_defaults;  // keys of a stage that hold for every gw.call, such as `retry`
  std::array<bool, kEndings.size()> endings{};  // which of them it has a function for
};

// One version of a job: what a file says, checked. Its version is the SHA-256 of the file's bytes; of a Lua job, of its
// bundle (script_bundle.hpp).
struct Job {
  std::string name;
  std::string version;
  std::string file;  // where it was read, for messages
  std::string text;  // the file's bytes, or the script's bundle
  std::string description;
  json::object params;  // name to JSON Schema, `optional` and short forms resolved
  json::object schema;  // JSON Schema (draft 7) of the whole parameter object, `types` as its definitions; empty
                        // without parameters
  std::vector<Check> checks;
  std::optional<base::Duration> timeout;
  std::map<std::string, LimitSpec> limits;  // that the job declares for itself; the operator's setting wins
  std::vector<Schedule> schedules;    // when it runs by itself
  std::vector<Stage> stages;          // in the order of the file; none of a Lua job
  std::optional<Script> script;       // of a Lua job
  std::optional<Template> result;     // the output of the last stage when absent
  std::array<std::vector<Stage>, kEndings.size()> endings;
  int priority = 0;                        // higher ones first
  std::string queue;                       // empty for the one that all share
  std::map<std::string, Template> labels;  // in terms of `params`
  std::optional<base::Duration> retain;    // after its end a run is deleted
  std::optional<Unique> unique;
  std::optional<Concurrency> concurrency;
  std::optional<ContinueAs> continue_as;
};

}  // namespace godwit::model
