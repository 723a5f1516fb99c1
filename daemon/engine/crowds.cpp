#include "engine/crowds.hpp"

#include <algorithm>
#include <map>

#include "base/log.hpp"

namespace godwit::engine {
namespace {

constexpr std::size_t kKeptPart = 16;  // of the runs that memory has room for
constexpr std::size_t kWaitingMax = 100'000;

}  // namespace

Crowds::Crowds(Queues& queues, std::size_t active_max)
    : queues_(queues), active_max_(active_max), kept_(std::max<std::size_t>(1, active_max / kKeptPart)) {}

Rank Crowds::rank_of(const Submitted& run) const {
  Rank rank = engine::rank_of(run);
  if (!jobs_.empty() && rank.plain() && jobs_.contains(run.job)) rank.queues.push_back(queue_of_job(run.job));
  return rank;
}

bool Crowds::contains(const Submitted& run) const {
  return jobs_.contains(run.job) && engine::rank_of(run).plain();
}

std::vector<model::RunId> Crowds::look(const Runs& runs) {
  end_the_small();
  std::map<std::string, std::vector<const ActiveRun*>> held;
  std::map<std::string, std::size_t> busy;
  for (const auto& [id, run] : runs) {
    if (!run->rank.plain()) continue;
    if (run->is_held())
      held[run->record.job].push_back(run.get());
    else
      ++busy[run->record.job];
  }
  std::vector<model::RunId> leaving;
  if (runs.size() > active_max_ / 2)
    for (auto& [job, of_job] : held)
      if (of_job.size() > kept_) {
        const auto some = crowd(job, std::move(of_job), runs);
        leaving.insert(leaving.end(), some.begin(), some.end());
      }
  // However many of them the limits let through at once: there are always some who wait in memory.
  for (const auto& job : jobs_)
    queues_.set(queue_of_job(job), {.concurrency = static_cast<int>(busy[job] + kept_)});
  return leaving;
}

void Crowds::end_the_small() {
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const auto queue = queue_of_job(*job);
    if (!queues_.is_idle(queue)) {
      ++job;
      continue;
    }
    queues_.remove(queue);
    job = jobs_.erase(job);
  }
}

std::vector<model::RunId> Crowds::crowd(const std::string& job, std::vector<const ActiveRun*> held, const Runs& runs) {
  if (jobs_.insert(job).second) {
    base::log::info("{} runs of job '{}' wait for limits or providers: it has a queue of its own, '{}', for as long as that lasts",
                    held.size(), job, queue_of_job(job));
    for (const auto& [id, run] : runs)
      if (run->rank.plain() && run->record.job == job) queues_.enter(id, {{queue_of_job(job)}, 0});
  }
  std::sort(held.begin(), held.end(), [](const ActiveRun* one, const ActiveRun* other) {
    return std::pair(one->is_as_submitted(), one->id()) < std::pair(other->is_as_submitted(), other->id());
  });
  std::vector<model::RunId> leaving;
  for (std::size_t i = kept_; i < held.size(); ++i) leaving.push_back(held[i]->id());
  return leaving;
}

bool Crowds::is_full() const {
  std::size_t waiting = 0;
  for (const auto& job : jobs_) waiting += queues_.waiting(queue_of_job(job));
  return waiting >= kWaitingMax;
}

void Crowds::clear() {
  for (const auto& job : std::exchange(jobs_, {})) queues_.remove(queue_of_job(job));
}

}  // namespace godwit::engine
