// The part of Intake that is about runs which wait for their turn in the store: those with a queue or a priority.
#include <algorithm>

#include "base/log.hpp"
#include "engine/intake.hpp"

namespace godwit::engine {

namespace {

constexpr std::size_t kRankedPage = 10'000;
constexpr std::size_t kTurnPage = 256;    // runs whose turn came, loaded at once
constexpr std::size_t kReservedPart = 8;  // of the places in memory that there are beside them for urgent runs

}  // namespace

// Page by page: there may be a million of them.
void Intake::load_ranked(model::RunId after, std::function<void()> done) {
  parts_.store.load_ranked(after, kRankedPage, [this, done = std::move(done)](Result<std::vector<RankedRun>> runs) {
    if (!runs) base::log::warning("runs with a queue or a priority were not loaded: {}", runs.error().what());
    const auto page = runs ? std::move(*runs) : std::vector<RankedRun>();
    std::vector<Queues::Next> begun;
    for (const auto& run : page) {
      Submitted submitted;
      submitted.options = run.options;
      const Rank rank = rank_of(submitted);
      early_.erase(run.run);
      if (run.for_lock && parts_.queues.divided(rank)) continue;
      if (!run.resting && !run.begun) {
        parts_.queues.add(run.run, rank, run.submitted_at);
        continue;
      }
      if (parts_.queues.divided(rank)) {
        wait_for_place(run.run, rank);
        continue;
      }
      // Who was at work or rests has its places still, whatever became of the queue.
      parts_.queues.enter(run.run, rank);
      if (!run.resting) begun.push_back({run.run, rank, {}});
    }
    load_turns(std::move(begun));
    if (page.size() == kRankedPage) return load_ranked(page.back().run, done);
    for (const auto& [run, early] : early_) parts_.queues.add(run, early.rank, early.since);
    early_.clear();
    ranked_known_ = true;
    let_in();
    done();
  });
}

bool Intake::knows_queue(const std::string& name) const {
  if (parts_.queues.known(name)) return true;
  const auto jobs = parts_.library.list();
  return std::any_of(jobs.begin(), jobs.end(), [&](const auto& job) { return job->queue == name; });
}

// When its turn has come already, the run need not be read from the store.
void Intake::wait_for_turn(Submitted run, const Rank& rank, const std::shared_ptr<const CompiledJob>& job) {
  if (!ranked_known_) {
    early_[run.run] = {rank, run.submitted_at};
    return;
  }
  parts_.queues.add(run.run, rank, run.submitted_at);
  const auto next = parts_.queues.next();
  if (!next || next->run != run.run || !has_room_for(*next)) return refill();
  parts_.queues.take();
  begin_new(std::move(run), job);
}

// What a node had of a queue goes to the others with its lease, so its runs need places anew, before all that have not
// begun. A run that rests is only loaded when it is woken, too; one that rests for a lock has no place until then.
void Intake::wait_for_place(model::RunId run, const Rank& rank) {
  if (displaced_.insert(run).second) parts_.queues.add(run, rank, {});
}

bool Intake::has_room_for(const Queues::Next& next) const {
  if (more_in_store_ && plain_since_ < next.turn) return false;
  if (next.rank.priority <= 0 && useful_room() == 0) return false;
  const std::size_t reserve = next.rank.priority > 0 ? std::max<std::size_t>(1, active_max_ / kReservedPart) : 0;
  return parts_.runner.runs().size() + entering_.size() < active_max_ + reserve;
}

void Intake::let_in() {
  // While some are loaded more gather, who come together then.
  if (stopped_ || draining_ || !ranked_known_ || loads_of_turns_ > 0) return;
  std::vector<Queues::Next> taken;
  for (auto next = parts_.queues.next(); next && has_room_for(*next) && taken.size() < kTurnPage;
       next = parts_.queues.next()) {
    parts_.queues.take();
    displaced_.erase(next->run);
    // One that rests has its place now, and is loaded when it is woken, or already is.
    if (is_here(next->run)) continue;
    expect(next->run);
    taken.push_back(std::move(*next));
  }
  load_turns(std::move(taken));
}

void Intake::load_turns(std::vector<Queues::Next> taken) {
  for (std::size_t begin = 0; begin < taken.size(); begin += kTurnPage) {
    const auto end = std::min(begin + kTurnPage, taken.size());
    std::vector<Queues::Next> page;
    std::vector<model::RunId> wanted;
    for (auto i = begin; i < end; ++i) {
      expect(taken[i].run);
      wanted.push_back(taken[i].run);
      page.push_back(std::move(taken[i]));
    }
    ++loads_of_turns_;
    parts_.store.load_runs(wanted, [this, page = std::move(page),
                                    look = looks_.begin()](Result<std::vector<UnfinishedRun>> loaded) {
      on_turns(page, look, std::move(loaded));
    });
  }
}

void Intake::on_turns(const std::vector<Queues::Next>& taken, const Looks::Look& look,
                      Result<std::vector<UnfinishedRun>> loaded) {
  --loads_of_turns_;
  if (!loaded) base::log::warning("runs whose turn came were not loaded: {}", loaded.error().what());
  std::map<model::RunId, UnfinishedRun*> found;
  if (loaded)
    for (auto& run : *loaded) found[run.run.run] = &run;
  for (const auto& next : taken) {
    const auto run = found.find(next.run);
    if (run == found.end()) {
      entered(next, false);  // it ended while it was read, or the store is being stopped and the next life finds it
      continue;
    }
    bring(std::move(*run->second), look,
          [this, next](const Result<Nothing>& at_work) { entered(next, bool(at_work)); });
  }
  let_in();
}

void Intake::entered(const Queues::Next& next, bool at_work) {
  if (!at_work) parts_.queues.leave(next.run, next.rank);
  arrived(next.run);
}

}  // namespace godwit::engine
