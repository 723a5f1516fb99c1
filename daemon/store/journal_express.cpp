// The part of Journal that is about the express lane: on the engine's thread, where nothing else is said.
#include "store/journal.hpp"

#include <algorithm>

namespace godwit::store {
namespace {

// What the engine's thread writes by itself: more than this is better built beside it.
constexpr std::size_t kExpressGroups = 16;
constexpr std::size_t kExpressBytes = 64 << 10;
constexpr auto kLanePause = std::chrono::seconds(1);

}  // namespace

void Journal::use_express_lane(SocketWatch& watch) {
  lane_ = std::make_unique<ExpressLane>(watch, uplink_.site().watchdog, uplink_.site().call_limit);
}

// The journal's thread makes the session, since that takes a wait.
void Journal::open_express_lane() {
  const auto now = base::tick();
  {
    const std::lock_guard lock(mutex_);
    if (!lane_ || !lane_wanted_ || finishing_ || now < lane_tried_ + kLanePause) return;
  }
  lane_tried_ = now;
  try {
    const auto& site = uplink_.site();
    auto session = std::make_unique<AsyncSession>(site.url, "express", site.watchdog, site.call_limit);
    const std::lock_guard lock(mutex_);
    lane_session_ = std::move(session);
    lane_wanted_ = false;
  } catch (const std::exception&) {
    // All goes by this thread meanwhile, which says what is wrong with the database.
  }
}

// On the engine's thread, under mutex_.
bool Journal::lane_is_open() {
  if (!lane_) return false;
  if (lane_session_) lane_->adopt(std::move(lane_session_));
  lane_wanted_ = !lane_->open();
  return lane_->open();
}

// Whether the lane was lost with a batch on it, so that this was perhaps committed: else the server refused it whole.
bool Journal::lane_in_doubt() const {
  const std::lock_guard lock(mutex_);
  return lost_backend_ != 0;
}

// What the lane sent last may still be at work there, on rows that are about to be written again.
void Journal::end_lane_session() {
  int backend = 0;
  {
    const std::lock_guard lock(mutex_);
    backend = lost_backend_;
  }
  if (backend == 0) return;
  uplink_.end_session(backend);
  const std::lock_guard lock(mutex_);
  lost_backend_ = 0;
}

void Journal::express() {
  express_due_ = false;
  {
    const std::lock_guard lock(mutex_);
    // The thread has woken since and takes the queue itself.
    if (!sleeping_ || lane_busy_ || queue_.empty()) return;
    if (queue_.size() + relaxed_.size() > kExpressGroups || totals_.waiting_bytes + relaxed_.bytes() > kExpressBytes ||
        std::any_of(queue_.begin(), queue_.end(), brings_key) || !lane_is_open()) {
      sleeping_ = false;
    } else {
      lane_busy_ = true;
      on_lane_ = std::exchange(queue_, {});
      take_relaxed(on_lane_, kExpressGroups, kExpressBytes);
      totals_.waiting = totals_.waiting_bytes = 0;
    }
  }
  on_lane_.empty() ? wake_.notify_one() : send_express();
}

void Journal::send_express() {
  std::vector<Group*> groups;
  for (auto& group : on_lane_) groups.push_back(&group);
  fill(groups);
  const auto form = lane_->form_for({batch_.mask(), false, !durable_wanted(groups)});
  std::vector<std::string_view> columns;
  for (auto* column : batch_.columns(form.mask)) columns.push_back(column->bytes());
  lane_->send(form, seat_, columns, [this](bool committed) { on_express(committed); });
}

void Journal::on_express(bool committed) {
  if (!committed) return give_back_express();
  settle_express();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = finishing_ || relaxed_are_due() || parked_are_due();
    if (wake) sleeping_ = false;
  }
  if (wake)
    wake_.notify_one();
  else if (!express_due_)
    express();
}

// The batch is committed: the writer's tools are free again before anybody hears of it, for who hears may append.
void Journal::settle_express() {
  note_committed();
  const auto groups = std::exchange(on_lane_, {});
  fold_if_due();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& group : groups) totals_.facts += group.facts.size();
    ++totals_.batches;
    ++totals_.express;
    lane_busy_ = false;
  }
  for (const auto& group : groups)
    if (group.settled) group.settled({});
}

// The journal's thread finds out what became of it.
void Journal::give_back_express() {
  {
    const std::lock_guard lock(mutex_);
    returned_ = std::exchange(on_lane_, {});
    if (!lane_->open()) lost_backend_ = lane_->closed_backend();
    lane_busy_ = false;
    sleeping_ = false;
  }
  wake_.notify_one();
}

}  // namespace godwit::store
