#pragma once
#include <map>

#include "base/json.hpp"
#include "engine/answer.hpp"
#include "model/run.hpp"

namespace godwit::engine {

// Which runs a list shows; by number, the highest first.
struct RunFilter {
  std::optional<model::RunState>
      state;  // as the store knows it: succeeded, failed, cancelled, paused, blocked; anything else means "not ended"
  std::string job;
  std::map<std::string, std::string> labels;  // only runs that have all of these
  std::size_t limit = 50;
  std::optional<model::RunId> before;
};

// What the store remembers, ready to be shown: answers are JSON as the control protocol gives it. Members are named
// like the columns of the views godwit.runs and godwit.steps; instants are RFC 3339 text; payloads are JSON values.
class History {
 public:
  virtual ~History() = default;
  // The runs' rows, without "params".
  virtual void list_runs(RunFilter filter, Answer<base::json::array> answer) = 0;
  // The run's row with "progress", "changes" [], "emitted" (count), and without its steps. Parameters of more than 4
  // MiB are left out: "params_bytes" is there instead of "params". not_found when there is no such run.
  virtual void show_run(model::RunId run, Answer<base::json::object> answer) = 0;
  // Steps by path order of finish; {"steps":[...], "more":bool}. `with_output` adds "output", or for one that is an
  // artifact "output_artifact": {"artifact", "size"}.
  virtual void list_steps(model::RunId run, std::size_t offset, std::size_t limit, bool with_output,
                          Answer<base::json::object> answer) = 0;
  // Log lines with "seq" greater than `after`, oldest first: up to `limit`, or fewer where these are long. Only an
  // empty answer says that there are no more.
  virtual void read_logs(model::RunId run, std::int64_t after, std::size_t limit, Answer<base::json::array> answer) = 0;
  // {"state","result","error"}; what a run that has not ended does not have yet is null. A result of more than 6 MiB is
  // left out: "result_bytes" is there instead of "result".
  virtual void read_result(model::RunId run, Answer<base::json::object> answer) = 0;
  // The newest fire times of a schedule, or of all when it is empty, as the view godwit.fires has them.
  virtual void list_fires(std::string schedule, std::size_t limit, Answer<base::json::array> answer) = 0;
  // Files that steps made and outputs that are artifacts, newest first; of all runs when none is given.
  virtual void list_artifacts(std::optional<model::RunId> run, std::size_t limit, Answer<base::json::array> answer) = 0;
  // Up to `size` bytes of an output that is an artifact, from `offset` on: {"size": of the whole, "base64"}. not_found
  // when there is none with this SHA-256, which also says when it is a file of another node.
  virtual void read_artifact(std::string sha256, std::uint64_t offset, std::size_t size,
                             Answer<base::json::object> answer) = 0;
  // Those of the files, by SHA-256, that no run has made.
  virtual void unknown_files(std::vector<std::string> sha256, Answer<std::vector<std::string>> answer) = 0;
  // {"node","state","draining","runs","labels","plugins",...} of each node that ever shared the store, by name.
  virtual void list_nodes(Answer<base::json::array> answer) = 0;
  virtual void list_audit(std::size_t limit, Answer<base::json::array> answer) = 0;
};

}  // namespace godwit::engine
