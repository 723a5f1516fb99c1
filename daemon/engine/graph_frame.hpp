#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/compiled_job.hpp"
#include "engine/driver.hpp"
#include "engine/plan.hpp"
#include "expression/scope.hpp"

namespace godwit::engine {

// One list of stages at work: those of a run, or those of one item of a foreach. Knows what is ready in it, what its
// expressions see, and what its steps gave.
class GraphFrame {
 public:
  // `prefix` stands before the paths of its steps: "", "pages[3]/".
  GraphFrame(std::shared_ptr<const CompiledJob> job, const CompiledGraph& graph, std::string prefix,
             RunControl& control, const GraphFrame* parent);
  GraphFrame(const GraphFrame&) = delete;

  // What its expressions see besides `stages`; set before the first next().
  expression::Scope& scope() { return scope_; }
  void set_item(base::json::value item, std::int64_t index);
  void show_stages_of(const GraphFrame& other);
  // Makes known what the stages gave that an earlier life finished, in a frame in which nothing is opened any more.
  void show_recorded();
  // Stages that this run leaves out.
  void leave_out(std::vector<bool> stages);
  void add_recorded(StepDone done);

  // What may happen next: a step, or the item of a foreach whose items are lists of stages. Opens stages on the way.
  struct Next {
    std::optional<StepRequest> request;
    std::optional<StepRef> item;
  };
  Next next();
  void shape(const StepRequest& request, StepSucceeded& success);
  void settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more);
  void left(StepRef step) { plan_.left(step); }
  void recorded(StepRef step, model::StepState state);

  bool is_last(StepRef step);
  bool done() const { return plan_.done(); }
  // Whether the last next() could not go on for a reason that lies outside the frame.
  bool stalled() const { return stopped_ && !failure_; }
  // An item's list is over when it is done, or when it failed and nothing of it is under way.
  bool over() const { return plan_.done() || (failure_ && plan_.in_flight() + plan_.unrecorded() == 0); }
  const std::optional<model::Failure>& failure() const { return failure_; }
  // The value of its last stage.
  std::string last_output() const;
  // For an item whose list is over: how it is recorded in the list around it.
  StepRequest item_request(StepRef item, const GraphFrame& body) const;

  const CompiledGraph& graph() const { return graph_; }
  const base::json::value& item(StepRef step) const {
    return stages_[step.stage].items[static_cast<std::size_t>(step.item)];
  }
  std::string path(StepRef step) const { return prefix_ + graph_.path(step); }
  struct Counts {
    std::int64_t done = 0, total = 0, failed = 0;
  };
  Counts show(base::json::array& stages) const;

 private:
  // What is known of one of the stages while it is in memory.
  struct StageData {
    base::json::array items;           // of a foreach
    std::vector<std::int64_t> depths;  // of a list that grows: items that others added are deeper than those
    std::set<std::string> keys;        // likewise: the items there are
    std::map<std::int64_t, std::int64_t> growing;  // likewise: how many items a step added that is not recorded yet
    std::vector<std::string> outputs;              // JSON text by item, when a later expression wants them
    std::map<std::int64_t, model::Failure> failures;
    std::map<std::int64_t, model::StepState> not_succeeded;
    bool skipped = false;  // `when` was false, or the run leaves it out
    bool published = false;
    bool wanted = false;      // its output
    base::json::value value;  // stages.<name>, once the stage is done
    std::shared_ptr<const Callable> callable;
    std::vector<StepDone> recorded;  // of an earlier life, until the stage is open
  };
  const CompiledStage& stage(StepRef step) const { return graph_.stages()[step.stage]; }
  expression::Language& language() const { return job_->language(); }

  // Opens the next stage; false when none is ready or the frame cannot go on. `skip` gets the step that records that a
  // stage is skipped.
  bool open_next(std::optional<StepRequest>& skip);
  void open_stage(std::size_t stage, std::optional<StepRequest>& skip);
  bool open_recorded(std::size_t stage);
  void open_list(std::size_t stage);
  void open_items(std::size_t stage);
  void restore(std::size_t stage);
  void show_recorded(std::size_t stage);
  bool resolve(std::size_t stage);
  void fail(model::Failure failure, const std::string& path);
  void append_list(std::size_t stage);

  void restore_growth(std::size_t stage);
  void grow(const StepRequest& request, const StepDone& done, std::vector<Fact>& more);
  void take_items(std::size_t stage, base::json::array items, std::int64_t depth);
  std::string key_of(const CompiledStage& stage, const base::json::value& item) const;

  StepRequest request_for(StepRef step);
  base::json::value render_input(StepRef step, const expression::Scope& scope) const;
  StepWork work_for(StepRef step, const expression::Scope& scope, const base::json::value& input) const;
  StepWork wait_for(const CompiledStage& stage, const base::json::value& what) const;
  void show_item(expression::Scope& scope, StepRef step, const base::json::value& index) const;
  void publish(std::size_t stage);
  base::json::value list_value(std::size_t stage) const;
  std::string_view state_of(std::size_t stage) const;

  std::shared_ptr<const CompiledJob> job_;
  const CompiledGraph& graph_;
  std::string prefix_;
  RunControl& control_;
  bool inner_;
  Plan plan_;
  std::vector<StageData> stages_;
  std::vector<bool> left_out_;
  base::json::value item_, index_;  // of an item's list
  expression::Scope scope_;
  std::optional<model::Failure> failure_;  // of an item's list
  bool stopped_ = false;                   // nothing more is opened now
};

}  // namespace godwit::engine
