#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/graph_frame.hpp"

namespace godwit::engine {

// Drives a run of a YAML job. Its stages, the stages of each item that is a list of stages, and the stages of its end
// are frames; the driver asks those in which something may have become ready.
class GraphDriver : public Driver {
 public:
  GraphDriver(const Submitted& record, std::shared_ptr<const CompiledJob> job);
  ~GraphDriver() override;

  bool knows(const std::string& path) const override { return job_->find(path) != nullptr; }
  bool wants_output(const std::string& path) const override { return job_->wants_output(path); }
  void start(RunControl& control, Recorded recorded) override;
  std::optional<StepRequest> next() override;
  void shape(const StepRequest& request, StepSucceeded& success) override;
  void settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) override;
  void left(const StepRequest& request) override;
  void recorded(const StepRequest& request, model::StepState state) override;
  void dropped(const StepRequest& request) override { left(request); }
  bool is_last(const StepRequest& request) override;
  bool done() const override;
  bool idle() const override { return true; }
  std::string result() override;
  std::string next_params() override;
  bool has_closing(const Outcome& outcome) const override;
  void begin_closing(const Outcome& outcome) override;
  base::json::object progress() const override;

 private:
  // A frame, and whose item it is when it is one's.
  struct Place {
    std::unique_ptr<GraphFrame> frame;
    std::uint64_t number = 0;
    Place* around = nullptr;
    StepRef item;
    bool ready = false;  // stands in ready_
  };

  Place& add(const CompiledGraph& graph, std::string prefix, Place* around);
  void open_item(Place& around, StepRef item);
  // The step that records an item whose list is over.
  StepRequest close_item(Place& place);
  void mark_ready(Place& place);
  // Most steps are of the job's own stages.
  Place& place_of(const StepRequest& request) {
    return main_ && request.scope == main_->number ? *main_ : *places_.at(request.scope);
  }
  std::vector<bool> left_out() const;

  std::shared_ptr<const CompiledJob> job_;
  const Submitted& record_;
  RunControl* control_ = nullptr;
  base::json::value params_;
  base::json::value about_;                                // the name `run` in expressions
  base::json::value outcome_;                              // the name `outcome` at the end of the run
  std::map<std::string, std::vector<StepDone>> recorded_;  // of earlier lives, by prefix, until their frame is open
  std::unordered_map<std::uint64_t, std::unique_ptr<Place>> places_;
  std::deque<Place*> ready_;
  std::vector<std::uint64_t> stalled_;  // places that could not go on when they were asked
  Place* main_ = nullptr;
  Place* closing_ = nullptr;  // once the end has begun
  std::uint64_t last_place_ = 0;
};

}  // namespace godwit::engine
