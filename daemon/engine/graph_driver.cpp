#include "engine/graph_driver.hpp"

#include <algorithm>

#include "base/json_text.hpp"

namespace godwit::engine {

namespace json = base::json;

GraphDriver::GraphDriver(const Submitted& record, std::shared_ptr<const CompiledJob> job)
    : job_(std::move(job)), record_(record) {
  params_ = base::parse_json(record.params);
  about_ = json::object{{"id", model::number(record.run)},
                        {"job", record.job},
                        {"submitted_at", base::format_instant(record.submitted_at)}};
}

GraphDriver::~GraphDriver() = default;

void GraphDriver::start(RunControl& control, Recorded recorded) {
  control_ = &control;
  for (auto& done : recorded.steps) {
    const auto slash = done.path.rfind('/');
    recorded_[slash == std::string::npos ? std::string() : done.path.substr(0, slash + 1)].push_back(std::move(done));
  }
  main_ = &add(job_->graph(), {}, nullptr);
  if (auto out = left_out(); !out.empty()) main_->frame->leave_out(std::move(out));
}

GraphDriver::Place& GraphDriver::add(const CompiledGraph& graph, std::string prefix, Place* around) {
  auto place = std::make_unique<Place>();
  place->number = ++last_place_;
  place->around = around;
  const auto earlier = recorded_.extract(prefix);
  place->frame =
      std::make_unique<GraphFrame>(job_, graph, std::move(prefix), *control_, around ? around->frame.get() : nullptr);
  if (!around) {
    place->frame->scope().set("params", params_);
    place->frame->scope().set("run", about_);
  }
  if (!earlier.empty())
    for (auto& done : earlier.mapped()) place->frame->add_recorded(std::move(done));
  Place& added = *(places_[place->number] = std::move(place));
  mark_ready(added);
  return added;
}

void GraphDriver::mark_ready(Place& place) {
  if (!std::exchange(place.ready, true)) ready_.push_back(&place);
}

std::optional<StepRequest> GraphDriver::next() {
  // What could not go on when it was last asked may do so now: a block was lifted.
  for (const auto number : std::exchange(stalled_, {}))
    if (const auto found = places_.find(number); found != places_.end()) mark_ready(*found->second);
  while (!ready_.empty()) {
    Place& place = *ready_.front();
    auto next = place.frame->next();
    if (next.request) {
      next.request->scope = place.number;
      return std::move(next.request);
    }
    if (next.item) {
      open_item(place, *next.item);
      continue;
    }
    ready_.pop_front();
    place.ready = false;
    if (place.frame->stalled()) stalled_.push_back(place.number);
    if (place.around && place.frame->over()) return close_item(place);
  }
  return std::nullopt;
}

void GraphDriver::open_item(Place& around, StepRef item) {
  const CompiledStage& stage = around.frame->graph().stages()[item.stage];
  Place& place = add(*stage.body, around.frame->path(item) + "/", &around);
  place.item = item;
  if (item.item != StepRef::kSingle) place.frame->set_item(around.frame->item(item), item.item);
}

StepRequest GraphDriver::close_item(Place& place) {
  auto request = place.around->frame->item_request(place.item, *place.frame);
  request.scope = place.around->number;
  places_.erase(place.number);
  return request;
}

void GraphDriver::shape(const StepRequest& request, StepSucceeded& success) {
  place_of(request).frame->shape(request, success);
}

void GraphDriver::settling(const StepRequest& request, const StepDone& done, std::vector<Fact>& more) {
  place_of(request).frame->settling(request, done, more);
}

void GraphDriver::left(const StepRequest& request) {
  Place& place = place_of(request);
  place.frame->left(request.ref);
  mark_ready(place);
}

void GraphDriver::recorded(const StepRequest& request, model::StepState state) {
  Place& place = place_of(request);
  place.frame->recorded(request.ref, state);
  mark_ready(place);
}

bool GraphDriver::is_last(const StepRequest& request) {
  Place& place = place_of(request);
  return &place == main_ && !closing_ && !job_->ending(model::Ending::success) && !job_->continue_with() &&
         place.frame->is_last(request.ref);
}

bool GraphDriver::done() const {
  return (closing_ ? *closing_ : *main_).frame->done();
}

std::string GraphDriver::result() {
  const bool whole = left_out().empty();
  const auto* result = job_->result();
  if (!result || !whole) return main_->frame->last_output();
  return result->is_constant() ? result->constant_text()
                               : base::serialize(job_->language().render(*result, main_->frame->scope()));
}

std::string GraphDriver::next_params() {
  if (!job_->continue_with() || !left_out().empty()) return {};
  const auto& scope = main_->frame->scope();
  if (const auto* when = job_->continue_when()) {
    const auto value = job_->language().evaluate(*when, scope);
    if (value.is_null() || (value.is_bool() && !value.as_bool())) return {};
  }
  const json::value params = job_->language().render(*job_->continue_with(), scope);
  if (!params.is_object()) throw base::refused("continue_as.with must give an object: the parameters of the next run");
  return base::serialize(params);
}

// The stages that the submit did not ask for, by `only` and `stop_after`; empty when it asked for all.
std::vector<bool> GraphDriver::left_out() const {
  if (record_.options.empty()) return {};
  const auto options = base::parse_json(record_.options).as_object();
  const auto* only = options.if_contains("only");
  const auto* stop_after = options.if_contains("stop_after");
  if (!only && !stop_after) return {};
  const CompiledGraph& graph = job_->graph();
  std::vector<bool> wanted(graph.stages().size(), true);
  if (stop_after)
    if (const auto stage = graph.find_stage(std::string_view(stop_after->as_string())))
      wanted = graph.ancestors(*stage);
  if (only)
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto& names = only->as_array();
      wanted[i] = wanted[i] && std::any_of(names.begin(), names.end(), [&](const json::value& name) {
                    return std::string_view(name.as_string()) == graph.stages()[i].spec->name;
                  });
    }
  wanted.flip();
  return wanted;
}

bool GraphDriver::has_closing(const Outcome& outcome) const {
  return job_->ending(ending_of(outcome.state)) != nullptr;
}

void GraphDriver::begin_closing(const Outcome& outcome) {
  const model::Ending ending = ending_of(outcome.state);
  outcome_ = outcome_view(outcome);
  for (auto* place : ready_) place->ready = false;
  ready_.clear();
  closing_ = &add(*job_->ending(ending), std::string(model::name(ending)) + "/", nullptr);
  closing_->frame->scope().set("outcome", outcome_);
  main_->frame->show_recorded();
  closing_->frame->show_stages_of(*main_->frame);
}

json::object GraphDriver::progress() const {
  json::array stages;
  GraphFrame::Counts sum = main_->frame->show(stages);
  if (closing_) {
    const auto more = closing_->frame->show(stages);
    sum = {sum.done + more.done, sum.total + more.total, sum.failed + more.failed};
  }
  return {{"done", sum.done}, {"total", sum.total}, {"failed", sum.failed}, {"stages", std::move(stages)}};
}

}  // namespace godwit::engine
