#include "store/relaxed_queue.hpp"

#include <spdlog/fmt/fmt.h>

#include "store/batch.hpp"

namespace godwit::store {

bool RelaxedQueue::add(engine::Fact fact) {
  const std::size_t size = size_of(fact);
  const auto* line = std::get_if<engine::Logged>(&fact);
  if (!line) {
    if (entries_.size() >= facts_max_ || bytes_ + size > bytes_max_) return false;
    push(std::move(fact), size);
    return true;
  }
  Share& share = logs_[line->run];
  if (!has_room(share, size)) {
    ++share.left_out;
    share.last = {.run = line->run, .path = line->path, .at = line->at};
    return false;
  }
  tell_gap(share);
  ++share.facts;
  share.bytes += size;
  push(std::move(fact), size);
  return true;
}

bool RelaxedQueue::has_room(const Share& share, std::size_t size) const {
  const std::size_t facts_free = facts_max_ - std::min(facts_max_, entries_.size());
  const std::size_t bytes_free = bytes_max_ - std::min(bytes_max_, bytes_);
  return share.facts < facts_free && share.bytes + size <= bytes_free;
}

void RelaxedQueue::push(engine::Fact fact, std::size_t size) {
  if (entries_.empty()) since_ = base::tick();
  bytes_ += size;
  entries_.push_back({std::move(fact), size});
}

void RelaxedQueue::tell_gap(Share& share) {
  if (share.left_out == 0) return;
  engine::Logged line = std::move(share.last);
  line.level = engine::LogLevel::warning;
  const auto count = std::exchange(share.left_out, 0);
  line.text = fmt::format("{} left out here: {} came faster than the database takes them",
                          count == 1 ? "1 line is" : fmt::format("{} lines are", count), count == 1 ? "it" : "they");
  const std::size_t size = size_of(line);
  ++share.facts;
  share.bytes += size;
  push(std::move(line), size);
}

std::vector<RelaxedQueue::Entry> RelaxedQueue::take(std::size_t facts, std::size_t bytes, base::Tick now) {
  std::vector<Entry> taken;
  while (!entries_.empty() && taken.size() < facts && (taken.empty() || entries_.front().size <= bytes)) {
    Entry& entry = taken.emplace_back(std::move(entries_.front()));
    entries_.pop_front();
    bytes -= std::min(bytes, entry.size);
    bytes_ -= entry.size;
    const auto* line = std::get_if<engine::Logged>(&entry.fact);
    if (!line) continue;
    const auto share = logs_.find(line->run);
    --share->second.facts;
    share->second.bytes -= entry.size;
    if (share->second.facts > 0) continue;
    // The last line before the gap has left.
    tell_gap(share->second);
    if (share->second.facts == 0) logs_.erase(share);
  }
  // Whoever had no line here has a gap all the same.
  if (entries_.empty())
    for (auto& [run, share] : logs_) tell_gap(share);
  since_ = now;
  return taken;
}

}  // namespace godwit::store
