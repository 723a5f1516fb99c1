#include "store/journal.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <thread>

#include "store/trouble.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

constexpr std::size_t kBatchFacts = 5'000;
constexpr std::size_t kBatchBytes = 16 << 20;
// PostgreSQL takes no message of 1 GiB and builds arrays in memory several times over.
constexpr std::size_t kGroupBytes = 256 << 20;
constexpr std::size_t kRelaxedFacts = 50'000;
constexpr std::size_t kRelaxedBytes = 16 << 20;
constexpr auto kRelaxedDelay = std::chrono::milliseconds(250);
constexpr std::size_t kFoldEvery = 10'000;  // ends
// What is left to be folded at the next start, or by whoever takes over.
constexpr std::size_t kUnfoldedMax = 100'000;
constexpr int kGatherRounds = 20;
constexpr auto kFencedText =
    "this node's lease is over, or another godwitd took its place: it may write nothing more";

using engine::Verdict;

}  // namespace

Journal::Journal(engine::Clock& clock, Uplink& uplink, StopSignal& stop, Health& health, UnfoldedRuns& unfolded)
    : clock_(clock),
      uplink_(uplink),
      stop_(stop),
      health_(health),
      batch_(numbers_),
      unfolded_(unfolded),
      relaxed_(kRelaxedFacts, kRelaxedBytes) {}

void Journal::append(std::vector<engine::Fact> facts, std::function<void(Verdict)> settled) {
  Group group{std::move(facts), std::move(settled)};
  for (const auto& fact : group.facts) group.size += size_of(fact);
  bool wake = false, by_lane = false;
  {
    const std::lock_guard lock(mutex_);
    ++totals_.waiting;
    totals_.waiting_bytes += group.size;
    queue_.push_back(std::move(group));
    if (lane_busy_) return;  // its end looks at the queue
    by_lane = sleeping_ && lane_is_open();
    if (!by_lane) wake = std::exchange(sleeping_, false);
  }
  if (wake) wake_.notify_one();
  // Once what is being done now is done, for it may append more.
  if (by_lane && !std::exchange(express_due_, true)) {
    clock_.post([this, alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) express();
    });
  }
}

void Journal::append_relaxed(engine::Fact fact) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // The thread waits without a limit while nothing is relaxed.
    const bool first = relaxed_.empty();
    if (!relaxed_.add(std::move(fact))) ++totals_.relaxed_dropped;
    wake = first && !relaxed_.empty() && std::exchange(sleeping_, false);
  }
  if (wake) wake_.notify_one();
}

Journal::Totals Journal::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void Journal::finish() {
  if (lane_) {
    lane_->close();
    if (!on_lane_.empty()) give_back_express();
  }
  {
    const std::lock_guard lock(mutex_);
    lane_session_.reset();
    finishing_ = true;
    sleeping_ = false;
  }
  wake_.notify_one();
}

bool Journal::relaxed_are_due() const {
  return !relaxed_.empty() && (finishing_ || base::tick() >= relaxed_.since() + kRelaxedDelay);
}

bool Journal::parked_are_due() const {
  return parked_due_ && !finishing_ && base::tick() >= *parked_due_;
}

// When the thread has something to do though nothing comes.
std::optional<base::Tick> Journal::next_due() const {
  if (relaxed_.empty()) return parked_due_;
  const base::Tick relaxed_due = relaxed_.since() + kRelaxedDelay;
  return parked_due_ ? std::min(*parked_due_, relaxed_due) : relaxed_due;
}

// The next batch; empty when the journal is to end.
std::deque<Journal::Group> Journal::take() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!returned_.empty()) {
      resuming_ = true;
      return std::exchange(returned_, {});
    }
    if (!lane_busy_ && parked_are_due()) {
      parked_due_.reset();
      return std::exchange(parked_, {});
    }
    if (!lane_busy_ && (!queue_.empty() || relaxed_are_due())) break;
    if (finishing_ && !lane_busy_) return {};
    sleeping_ = true;
    const auto woken = [this] { return !sleeping_; };
    // What is due already waits for the end of what is on the lane, which wakes this thread then.
    if (const auto due = next_due(); due && base::tick() < *due)
      wake_.wait_until(lock, *due, woken);
    else
      wake_.wait(lock, woken);
    sleeping_ = false;
  }
  gather(lock);
  std::deque<Group> batch;
  std::size_t facts = 0, bytes = 0;
  while (!queue_.empty() && (batch.empty() || (facts + queue_.front().facts.size() <= kBatchFacts &&
                                               bytes + queue_.front().size <= kBatchBytes))) {
    facts += queue_.front().facts.size();
    bytes += queue_.front().size;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  last_groups_ = batch.size();
  totals_.waiting -= batch.size();
  totals_.waiting_bytes -= bytes;
  if (facts < kBatchFacts && bytes < kBatchBytes) take_relaxed(batch, kBatchFacts - facts, kBatchBytes - bytes);
  return batch;
}

void Journal::take_relaxed(std::deque<Group>& batch, std::size_t facts, std::size_t bytes) {
  for (auto& [fact, size] : relaxed_.take(facts, bytes, base::tick())) {
    Group& group = batch.emplace_back();
    group.facts.push_back(std::move(fact));
    group.size = size;
  }
}

// Those whose facts were just settled are about to append the next ones, one after the other: to leave with the first
// of them would halve the size of the batches. So the queue is given moments to fill while it grows; a lone run never
// waits here.
void Journal::gather(std::unique_lock<std::mutex>& lock) {
  for (int round = 0; round < kGatherRounds && queue_.size() < last_groups_; ++round) {
    const std::size_t before = queue_.size();
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
    if (queue_.size() == before && round > 0) return;
  }
}

void Journal::run(const NodeSeat& seat) {
  seat_ = seat;
  numbers_.start(seat.block);
  for (;;) {
    open_express_lane();
    auto groups = take();
    if (groups.empty()) return;
    write_all(groups);
    fold_if_due();
  }
}

void Journal::write_all(std::deque<Group>& groups) {
  std::vector<Group*> pointers;
  pointers.reserve(groups.size());
  std::uint64_t facts = 0;
  for (auto& group : groups) {
    facts += group.facts.size();
    if (group.size > kGroupBytes)
      settle(
          group,
          {Verdict::refused, {}, false, fmt::format("{} MiB at once are more than the store takes", group.size >> 20)});
    else
      pointers.push_back(&group);
  }
  write(pointers);
  {
    const std::lock_guard lock(mutex_);
    totals_.facts += facts;
    ++totals_.batches;
  }
  if (settled_.empty()) return;
  clock_.post([settled = std::make_shared<std::vector<Settled>>(std::exchange(settled_, {}))] {
    for (auto& it : *settled) {
      // Freed before the next facts are made, which then have the same memory, still at hand.
      std::vector<engine::Fact>().swap(it.facts);
      it.callback(std::move(it.verdict));
      it.callback = nullptr;
    }
  });
}

// Writes the groups in as few transactions as it takes and settles each. Returns only when all are settled.
void Journal::write(Groups groups) {
  if (groups.empty()) return;
  if (fenced_) return settle_fenced(groups);
  // What came back from the express lane is in the batch already.
  const bool resuming = std::exchange(resuming_, false);
  if (!resuming) fill(groups);
  const bool doubtful = resuming && lane_in_doubt();
  StatementForm form{batch_.mask(), doubtful, !durable_wanted(groups)};
  for (;;) {
    try {
      if (doubtful) end_lane_session();
      if (!execute(form)) return settle_fenced(groups);
      note_committed();
      for (auto* group : groups) settle(*group, {});
      return;
    } catch (const std::exception& error) {
      switch (classify(error)) {
        case Trouble::lost:
          // Perhaps it was committed: the same rows again, passing over those that are there, settles it either way.
          form.repeated = true;
          uplink_.drop();
          health_.set(Health::State::down, describe(error));
          break;
        case Trouble::locked:
          if (park(groups)) return;
          [[fallthrough]];
        case Trouble::later:
        case Trouble::defect:
          health_.set(Health::State::down, describe(error));
          uplink_.back_off();
          break;
        case Trouble::taken:
          if (settle_duplicates(groups)) return;
          if (form.repeated) return split(groups, error);
          form.repeated = true;
          break;
        case Trouble::data:
          return split(groups, error);
      }
      const std::lock_guard lock(mutex_);
      ++totals_.repeated;
    }
  }
}

void Journal::renumber(std::int64_t block) {
  const std::lock_guard lock(mutex_);
  new_block_ = std::max(block, new_block_.value_or(block));
}

void Journal::fill(Groups groups) {
  {
    const std::lock_guard lock(mutex_);
    if (new_block_) {
      numbers_.start(*new_block_);
      low_told_ = false;
    }
    new_block_.reset();
  }
  if (numbers_.running_out() && numbers_low_ && !std::exchange(low_told_, true)) numbers_low_();
  batch_.clear();
  for (const auto* group : groups)
    for (const auto& fact : group->facts) batch_.expect(fact);
  for (const auto* group : groups)
    for (const auto& fact : group->facts) batch_.add(fact);
  batch_.finish();
}

// Runs the statement for what is in the batch. False when the node's place was taken.
bool Journal::execute(StatementForm form) {
  Connection& connection = uplink_.get();
  if (!connection.has(form.name())) form = bounded(form, connection.statements());
  const auto name = form.name();
  if (!connection.has(name)) connection.prepare(name, journal_statement(form));
  const auto values = parameters(batch_.columns(form.mask));
  const auto result = connection.prepared(name, seat_.node, seat_.epoch, pqxx::prepare::make_dynamic_params(values));
  uplink_.succeeded();
  health_.set(Health::State::up);
  return result[0][0].as<int>() == 1;
}

// One of these groups cannot be stored: the others must not suffer for it.
void Journal::split(Groups groups, const std::exception& error) {
  if (groups.size() == 1) {
    const std::lock_guard lock(mutex_);
    ++totals_.refused;
    return settle(*groups.front(),
                  {Verdict::refused, {}, false, "the database refused these values: " + describe(error)});
  }
  write(groups.first(groups.size() / 2));
  write(groups.subspan(groups.size() / 2));
}

void Journal::settle(Group& group, Verdict verdict) {
  if (group.settled) settled_.push_back({std::move(group.settled), std::move(verdict), std::move(group.facts)});
}

void Journal::settle_fenced(Groups groups) {
  fenced_ = true;
  health_.set(Health::State::fenced, kFencedText);
  for (auto* group : groups) settle(*group, {Verdict::fenced, {}, false, kFencedText});
}

void Journal::note_committed() {
  ended_.insert(ended_.end(), batch_.ended().begin(), batch_.ended().end());
  unfolded_.add(batch_.submitted());
  left_open_ += batch_.submitted().size();
}

// As many of the oldest runs are folded as have ended: runs end about in the order of their submits, so that most of those
// have, and hardly any has to be written down as open. What nobody has begun yet is not written twice.
void Journal::fold_if_due() {
  const bool whole = left_open_ >= kUnfoldedMax;
  if (!whole && ended_.size() < kFoldEvery) return;
  left_open_ = whole ? 0 : left_open_ - std::min(left_open_, ended_.size());
  fold_due_(std::exchange(ended_, {}), whole);
}

// Whether anybody waits for the commit; facts that may be lost are not worth a wait for the disk.
bool Journal::durable_wanted(Groups groups) const {
  return std::any_of(groups.begin(), groups.end(), [](const Group* group) { return bool(group->settled); });
}

}  // namespace godwit::store
