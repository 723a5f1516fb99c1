#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/driver.hpp"
#include "engine/scripts.hpp"

namespace godwit::engine {

// What a machine is made of, with what is recorded of the run: steps in the order of their ends, and loops that were
// folded.
ScriptStart script_start(const CompiledJob& job, const Submitted& record,
                         std::vector<model::script::RecordedStep> recorded);
std::vector<model::script::RecordedStep> script_history(const Recorded& recorded);

// The end of the run ("on_failure") whose step this is; empty for the run's own.
std::string_view of_ending(std::string_view path);

// A mismatch in a sentence.
std::string mismatch_text(const model::script::End& end);

// Drives a run of a Lua job: the script runs in a host process and says which steps it wants; this keeps what is
// recorded, so that a machine that was lost can be made anew.
class ScriptDriver : public Driver, private ScriptListener {
 public:
  explicit ScriptDriver(std::shared_ptr<const CompiledJob> job) : job_(std::move(job)) {}
  ~ScriptDriver() override;

  bool wants_output(const std::string&) const override { return true; }
  void start(RunControl& control, Recorded recorded) override;
  std::optional<StepRequest> next() override;
  void shape(const StepRequest& request, StepSucceeded& success) override;
  void settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) override;
  void left(const StepRequest&) override {}
  void recorded(const StepRequest& request, model::StepState state) override;
  void dropped(const StepRequest& request) override { handed_.erase(request.path); }
  bool is_last(const StepRequest&) override { return false; }
  bool done() const override;
  bool idle() const override { return expected_ == 0 && pending_.empty(); }
  std::string result() override { return end_->result; }
  std::string next_params() override { return end_->next_params; }
  bool has_closing(const Outcome& outcome) const override;
  void begin_closing(const Outcome& outcome) override;
  base::json::object progress() const override;

 private:
  using Request = model::script::Request;
  // A step that the runner has.
  struct Handed {
    std::uint64_t number = 0;  // of the request in the machine; 0 when nobody waits for it
    std::shared_ptr<const CompiledJob> step;
    std::string lock;       // that it asks for
    bool unwanted = false;  // the branch that asked for it is gone
    model::script::RecordedStep done;
  };

  void boot();
  void output(model::script::Output output) override;
  void lost(model::Failure why, bool guilty) override;
  void record(model::script::Note note);
  void on_request(Request request);
  void on_end(model::script::End end);
  const base::json::value& params();
  std::optional<StepRequest> request_for(const Request& asked);
  void fold(const model::script::Note& note, CursorMoved& cursor);
  StepWork work_of(const Request& asked, StepRequest& request, Handed& handed);

  std::shared_ptr<const CompiledJob> job_;
  RunControl* control_ = nullptr;
  std::vector<model::script::RecordedStep> history_;
  std::uint64_t machine_ = 0;
  int losses_ = 0;
  int expected_ = 0;  // outputs that are still to come
  std::deque<Request> pending_;
  std::map<std::string, Handed> handed_;  // by path
  std::optional<model::script::End> end_;
  std::string ending_;                       // the name of the end that has begun; empty before
  std::string outcome_;                      // how the run ends then, as JSON
  std::optional<base::json::value> params_;  // when an output needs them
  std::vector<model::script::LoopProgress> loops_;
  std::int64_t steps_done_ = 0;
  std::int64_t steps_failed_ = 0;
};

}  // namespace godwit::engine
