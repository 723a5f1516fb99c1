// The part of Intake that is about several nodes: runs that are taken over, and given away.
#include "base/log.hpp"
#include "engine/intake.hpp"

namespace godwit::engine {
namespace {

constexpr std::size_t kPage = 512;  // runs that were taken over, loaded at once

}  // namespace

void Intake::set_draining(bool draining) {
  told_to_drain_ = draining;
  if (draining && !draining_) return drain();
  go_on();
}

void Intake::drain() {
  draining_ = true;
  ++releases_;
  // Copies: a run may leave at once.
  std::vector<std::shared_ptr<ActiveRun>> runs;
  for (const auto& [id, run] : parts_.runner.runs()) runs.push_back(run);
  for (const auto& run : runs) parts_.runner.give_away(*run);
  // After the commit of all that was appended; what is under way follows one by one.
  parts_.store.append({}, [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::fenced) return;
    told_to_drain_ ? release_rest() : released();
  });
}

void Intake::release_rest() {
  std::vector<model::RunId> kept;
  for (const auto& [id, run] : parts_.runner.runs()) kept.push_back(id);
  for (const auto& [id, waiting] : waking_) kept.push_back(id);
  for (const auto& [id, waiting] : entering_) kept.push_back(id);
  parts_.sleepers.clear();
  displaced_.clear();
  crowds_.clear();
  parts_.queues.keep({kept.begin(), kept.end()});
  parts_.cluster->release_all_but(std::move(kept), [this](const Result<Nothing>& done) {
    if (!done) base::log::warning("the runs that wait were not given away: {}", done.error().what());
    released();
  });
}

void Intake::gave_away(const Submitted& run) {
  looks_.left(run.run);
  parts_.queues.leave(run.run, rank(run));
  release(run.run);
}

void Intake::release(model::RunId run) {
  ++releases_;
  parts_.store.append({RunReleased{run}}, [this](const Verdict& verdict) {
    if (verdict.kind == Verdict::committed) parts_.cluster->ring();
    released();
  });
}

// What is on its way to others is this node's in the store still: it would be at work here when others take it.
void Intake::released() {
  if (--releases_ > 0) return;
  go_on();
  std::exchange(look_again_due_, false) ? look_again() : refill();
}

void Intake::go_on() {
  if (!draining_ || told_to_drain_ || releases_ > 0) return;
  draining_ = false;
  look_again();
  read_inbox();
}

void Intake::take_claimed(const std::vector<Claimed>& runs) {
  // It was on its way when this node was told to drain.
  if (draining_) {
    for (const auto& run : runs) release(run.run);
    return;
  }
  std::vector<model::RunId> active;
  for (const auto& run : runs) {
    if (run.resting) parts_.sleepers.add(run.run, run.wake_at);
    Submitted submitted;
    submitted.options = run.options;
    const Rank rank = rank_of(submitted);
    const bool begun = run.begun || run.resting;
    if (run.for_lock && parts_.queues.divided(rank)) continue;
    if (begun && parts_.queues.divided(rank))
      wait_for_place(run.run, rank);
    else if (!begun && !rank.plain())
      parts_.queues.add(run.run, rank, run.submitted_at);
    else if (!run.resting)
      active.push_back(run.run);
  }
  let_in();
  if (active.size() < runs.size()) read_signals();
  for (std::size_t from = 0; from < active.size(); from += kPage)
    load_claimed({active.begin() + static_cast<std::ptrdiff_t>(from),
                  active.begin() + static_cast<std::ptrdiff_t>(std::min(from + kPage, active.size()))});
}

void Intake::load_claimed(std::vector<model::RunId> active) {
  for (const auto run : active) expect(run);
  parts_.store.load_runs(active, [this, active, look = looks_.begin()](Result<std::vector<UnfinishedRun>> loaded) {
    std::unordered_set<model::RunId> rest(active.begin(), active.end());
    auto runs = loaded ? std::move(*loaded) : std::vector<UnfinishedRun>();
    for (auto& run : runs) {
      const model::RunId id = run.run.run;
      rest.erase(id);
      parts_.queues.forget(id, rank(run.run));
      bring(std::move(run), look, [this, id](const Result<Nothing>&) { arrived(id); });
    }
    for (const auto run : rest) arrived(run);
    if (!loaded) {
      base::log::warning("runs that were taken over were not loaded: {}", loaded.error().what());
      return look_again();
    }
    let_in();
    read_signals();
  });
}

void Intake::look_again() {
  // What is being looked at now would move the cursor on.
  if (refilling_) return after_refill_.push_back([this] { look_again(); });
  if (releases_ > 0) {
    look_again_due_ = true;
    return;
  }
  load_resting();
  crowds_.clear();
  cursor_ = {};
  more_in_store_ = stored_meanwhile_ = true;
  refill();
}

}  // namespace godwit::engine
