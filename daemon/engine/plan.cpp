#include "engine/plan.hpp"

#include <algorithm>
#include <stdexcept>

namespace godwit::engine {

Plan::Plan(std::vector<std::vector<std::size_t>> needs) : stages_(needs.size()) {
  for (std::size_t i = 0; i < needs.size(); ++i) {
    stages_[i].needs_left = needs[i].size();
    for (const std::size_t need : needs[i]) stages_[need].needed_by.push_back(i);
  }
  for (std::size_t i = stages_.size(); i-- > 0;)
    if (stages_[i].needs_left == 0) ready_.push_back(i);
}

std::optional<std::size_t> Plan::next_to_open() const {
  if (ready_.empty()) return std::nullopt;
  return ready_.back();
}

void Plan::open(std::size_t stage) {
  open(stage, 1, 1);
  stages_[stage].single = true;
}

StepRef Plan::open_taken(std::size_t index) {
  open(index);
  stages_[index].cursor = 1;
  ++stages_[index].counts.in_flight;
  ++in_flight_;
  return {index, StepRef::kSingle};
}

void Plan::open(std::size_t index, std::int64_t items, int parallel) {
  Stage& stage = stages_[index];
  if (stage.phase != Phase::pending || ready_.empty() || ready_.back() != index)
    throw std::logic_error("the stage is not the next to open");
  ready_.pop_back();
  stage.phase = Phase::open;
  stage.single = false;
  stage.counts.total = items;
  stage.parallel = parallel;
  stage.finished.assign(static_cast<std::size_t>(items), false);
  open_.push_back(index);
  if (items == 0) complete(index);
}

void Plan::grow(std::size_t index, std::int64_t items) {
  Stage& stage = stages_[index];
  if (stage.phase != Phase::open || stage.single) throw std::logic_error("only an open list can grow");
  stage.counts.total += items;
  stage.finished.resize(static_cast<std::size_t>(stage.counts.total), false);
}

bool Plan::has_room(const Stage& stage) const {
  return stage.counts.in_flight < stage.parallel && stage.counts.unrecorded < stage.parallel;
}

std::optional<StepRef> Plan::next_step() {
  for (const std::size_t index : open_) {
    Stage& stage = stages_[index];
    if (!has_room(stage)) continue;
    while (stage.cursor < stage.counts.total && stage.finished[static_cast<std::size_t>(stage.cursor)]) ++stage.cursor;
    if (stage.cursor == stage.counts.total) continue;
    const std::int64_t item = stage.cursor++;
    ++stage.counts.in_flight;
    ++in_flight_;
    return StepRef{index, stage.single ? StepRef::kSingle : item};
  }
  return std::nullopt;
}

void Plan::left(StepRef step) {
  Stage& stage = stages_[step.stage];
  --stage.counts.in_flight;
  ++stage.counts.unrecorded;
  --in_flight_;
  ++unrecorded_;
}

void Plan::finished(StepRef step, model::StepState state) {
  Stage& stage = stages_[step.stage];
  const std::size_t item = step.item == StepRef::kSingle ? 0 : static_cast<std::size_t>(step.item);
  if (stage.phase != Phase::open || item >= stage.finished.size() || stage.finished[item])
    throw std::logic_error("the step cannot finish now");
  // A step of an earlier life was never handed out in this one: the cursor has not passed it.
  if (static_cast<std::int64_t>(item) < stage.cursor) {
    --stage.counts.unrecorded;
    --unrecorded_;
  }
  stage.finished[item] = true;
  (state == model::StepState::succeeded ? stage.counts.succeeded
   : state == model::StepState::failed  ? stage.counts.failed
                                        : stage.counts.skipped) += 1;
  if (stage.counts.finished() == stage.counts.total) complete(step.stage);
}

void Plan::complete(std::size_t index) {
  stages_[index].phase = Phase::done;
  ++stages_done_;
  std::erase(open_, index);
  for (const std::size_t next : stages_[index].needed_by)
    if (--stages_[next].needs_left == 0)
      ready_.insert(std::lower_bound(ready_.begin(), ready_.end(), next, std::greater<>()), next);
}

bool Plan::is_last(StepRef step) const {
  const Stage& stage = stages_[step.stage];
  return stages_done_ + 1 == stages_.size() && stage.counts.finished() + 1 == stage.counts.total;
}

bool Plan::is_finished(StepRef step) const {
  const Stage& stage = stages_[step.stage];
  if (stage.phase == Phase::done) return true;
  if (stage.phase == Phase::pending) return false;
  return stage.finished[step.item == StepRef::kSingle ? 0 : static_cast<std::size_t>(step.item)];
}

}  // namespace godwit::engine
