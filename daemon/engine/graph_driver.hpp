#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/driver.hpp"
#include "engine/plan.hpp"
#include "expression/scope.hpp"

namespace godwit::engine {

// Drives a run of a YAML job: its plan says which stages and items are ready, its expressions what they are given.
class GraphDriver : public Driver {
 public:
  GraphDriver(const Submitted& record, std::shared_ptr<const CompiledJob> job);

  bool wants_output(const std::string& path) const override;
  void start(RunControl& control, Recorded recorded) override;
  std::optional<StepRequest> next() override;
  void shape(const StepRequest& request, StepSucceeded& success) override;
  void settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) override;
  void left(const StepRequest& request) override { plan_.left(request.ref); }
  void recorded(const StepRequest& request, model::StepState state) override;
  void dropped(const StepRequest& request) override { plan_.left(request.ref); }
  bool is_last(const StepRequest& request) override;
  bool done() const override { return plan_.done(); }
  bool idle() const override { return true; }
  std::string result() override;
  base::json::object progress() const override;

 private:
  // What a run knows of one of its stages while it is in memory.
  struct StageData {
    base::json::array items;           // of a foreach
    std::vector<std::string> outputs;  // JSON text by item, when a later expression wants them
    std::map<std::int64_t, model::Failure> failures;
    std::map<std::int64_t, model::StepState> not_succeeded;
    bool skipped = false;  // `when` was false
    bool published = false;
    base::json::value value;  // stages.<name>, once the stage is done
    std::shared_ptr<const Callable> callable;
  };

  // Opens the next stage; false when none is ready or the run cannot go on. `skip` gets the step that records that a
  // stage is skipped.
  bool open_next(std::optional<StepRequest>& skip);
  void open_stage(std::size_t stage, std::optional<StepRequest>& skip);
  void open_list(std::size_t stage);
  bool open_recorded(std::size_t stage);
  void restore(std::size_t stage);
  bool resolve(std::size_t stage);
  StepRequest request_for(StepRef step);
  void render_input(const CompiledJob::Stage& stage, const expression::Scope& scope, StepRequest& request) const;
  StepWork work_for(std::size_t stage, const expression::Scope& scope, const base::json::value& input) const;
  StepWork wait_for(const CompiledJob::Stage& stage, const base::json::value& what) const;
  void set_item(expression::Scope& scope, StepRef step, const base::json::value& index) const;
  void publish(std::size_t stage);
  base::json::value list_value(std::size_t stage) const;
  std::string_view state_of(std::size_t stage) const;

  std::shared_ptr<const CompiledJob> job_;
  RunControl* control_ = nullptr;
  Plan plan_;
  base::json::value params_;
  base::json::value about_;  // the name `run` in expressions
  std::vector<StageData> stages_;
  expression::Scope scope_;
  std::vector<StepDone> recorded_;  // of an earlier life, until their stages are open
  bool stopped_ = false;            // the run fails or is blocked: nothing more is opened
};

}  // namespace godwit::engine
