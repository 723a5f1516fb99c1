#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "model/quota.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// What a step can call: one method of one unit of one plugin, as its manifest describes it.
struct Callable {
  std::string name;     // "timetable.search"; never a contract's name
  std::string plugin;   // the manifest's id
  std::string version;  // the manifest's version
  std::string unit;
  std::string method;
  bool retry_safe = false;
  bool provider = false;  // it speaks to the outside world
  base::json::object args_schema;  // JSON Schema of the input; empty when the manifest gives none
};

// One attempt of one step.
struct StepCall {
  model::RunId run{};
  std::string path;  // "search[12]"
  int attempt = 1;
  std::string idempotency_key;  // the same for every attempt of this step
  std::string input;            // JSON text
  base::Duration timeout{};     // counted from the moment the plugin gets the call; zero means none
  bool may_repeat = false;      // it does no harm to make it again when nobody knows whether it had its effect
  int priority = 0;             // of its run: who waits for a place in the plugin has it by turn_of() (engine/rank.hpp)
};

struct Emitted {
  std::string topic;
  std::string row;  // JSON text
};

// A file that a step made; its content is kept by its hash.
struct Artifact {
  std::string name;  // for people: "report.pdf"
  std::string media_type;
  std::string sha256;
  std::uint64_t size = 0;
};

// How an attempt ended. Every text is JSON or UTF-8 that was checked: what comes from a plugin is not trusted.
struct StepSucceeded {
  std::string output;            // JSON text
  std::vector<Emitted> emitted;  // in the order the plugin gave them
};
struct StepFailed {
  model::Failure failure;
};
// The host process was lost in mid-call, so nobody can say whether the call had its effect. `failure` names the cause:
// signal or exit code, last lines of stderr.
struct StepLost {
  model::Failure failure;
  int together = 1;  // calls that were lost with the process, this one included
};
struct StepCancelled {};
using StepOutcome = std::variant<StepSucceeded, StepFailed, StepLost, StepCancelled>;

enum class LogLevel { debug, info, warning, error };
inline constexpr std::array<std::string_view, 4> kLogLevels{"debug", "info", "warning", "error"};
inline std::string_view name(LogLevel level) {
  return kLogLevels[static_cast<std::size_t>(level)];
}

// What a running step says on its way. All calls come on the engine's thread and never after the outcome.
class StepListener {
 public:
  virtual ~StepListener() = default;
  // The plugin has got the call: until then it waited for a free place in the plugin.
  virtual void started() = 0;
  // `fields` is a JSON object as text, empty when the plugin gave none.
  virtual void progress(std::uint64_t done, std::uint64_t total, std::string fields) = 0;
  // `fields` as above. Lines of stdout and stderr come here too, with `stream` "stdout" or "stderr", else "".
  virtual void log(LogLevel level, std::string text, std::string fields, std::string_view stream) = 0;
  // `stored(true)` is called once the value is durable; the plugin waits for it.
  virtual void checkpoint_put(std::string key, std::string value, std::function<void(bool stored)> stored) = 0;
  // Gives the last durable value of this step, of an earlier attempt or an earlier life too; empty when there is none.
  virtual void checkpoint_get(std::string key, std::function<void(std::optional<std::string>)> value) = 0;
  // A file was stored; `recorded(true)` is called once the store knows of it.
  virtual void artifact(Artifact artifact, std::function<void(bool recorded)> recorded) = 0;
  // What the call cost of a limit of which an estimate was taken, in tokens. The last word counts.
  virtual void cost(std::string limit, std::int64_t tokens) {
    (void)limit, (void)tokens;
  }
  // What the other side says of its own count; of all rates the step has when `limit` is empty.
  virtual void quota(std::string limit, model::Quota quota) {
    (void)limit, (void)quota;
  }
  virtual void finished(StepOutcome outcome) = 0;
};

// Runs attempts of steps in plugins. Used on the engine's thread only; answers come later, never from inside a call to
// it.
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  // What `uses` means: "timetable.search", or "flight-search/1.search" by the configured (or only) provider of the
  // contract. Throws Error(refused) that says what is missing and what there is.
  virtual std::shared_ptr<const Callable> resolve(const std::string& uses) const = 0;
  // The same for a run that is pinned to a version of the plugin: that version while it is there, else what resolve()
  // gives.
  virtual std::shared_ptr<const Callable> resolve_version(const std::string& uses, const std::string& version) const {
    (void)version;
    return resolve(uses);
  }
  // What is installed: the newest version of each plugin, and the unit that a contract means, where one is chosen.
  struct Installed {
    std::map<std::string, std::string> versions;   // by plugin
    std::map<std::string, std::string> providers;  // by contract
  };
  virtual Installed installed() const { return {}; }
  // Starts an attempt; `listener` must live until its finished(). Returns a number for cancel(), unique for the life of
  // the runner.
  virtual std::uint64_t start(std::shared_ptr<const Callable> callable, StepCall call, StepListener& listener) = 0;
  // Asks for an end, by force after the plugin's grace time; finished() follows in any case. Unknown numbers are
  // ignored.
  virtual void cancel(std::uint64_t number) = 0;
  // Ends all calls at once and by force: they are lost. `done` comes when nothing of them is under way any more.
  virtual void cut(std::function<void()> done) = 0;
};

}  // namespace godwit::engine
