#include "store/reader.hpp"

#include <pthread.h>

#include "store/trouble.hpp"

namespace godwit::store {
namespace {

base::Error stopped_error() {
  return base::Error(base::ErrorKind::unavailable, "the store was stopped before the database answered");
}

}  // namespace

Reader::Reader(engine::Clock& clock, const Site& site, std::string purpose, std::string settings)
    : clock_(clock), site_(site), uplink_(site, purpose, std::move(settings)), name_("store-" + std::move(purpose)) {}

Reader::~Reader() {
  join();
}

void Reader::add(Query query) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      queue_.push_back(std::move(query));
      wake_.notify_one();
      return;
    }
  }
  clock_.post(query.failed(stopped_error()));
}

void Reader::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
}

void Reader::join() {
  std::deque<Query> left;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    left.swap(queue_);
  }
  wake_.notify_one();
  for (auto& query : left) clock_.post(query.failed(stopped_error()));
  if (thread_.joinable()) thread_.join();
}

std::optional<Reader::Query> Reader::take() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
  if (stopped_) return std::nullopt;
  auto query = std::move(queue_.front());
  queue_.pop_front();
  return query;
}

void Reader::run() {
  while (auto query = take()) {
    try {
      answer(*query);
    } catch (const Stopped&) {
      clock_.post(query->failed(stopped_error()));
    }
  }
}

void Reader::answer(Query& query) {
  for (;;) {
    try {
      auto work = query.ask(uplink_.get());
      uplink_.succeeded();
      return clock_.post(std::move(work));
    } catch (const base::Error& error) {
      return clock_.post(query.failed(error));
    } catch (const std::exception& error) {
      switch (classify(error)) {
        case Trouble::lost:
          uplink_.drop();
          break;
        case Trouble::later:
        case Trouble::locked:
          uplink_.back_off();
          break;
        default:
          return clock_.post(
              query.failed(base::Error(base::ErrorKind::failed, "the database refused a query: " + describe(error))));
      }
    }
  }
}

}  // namespace godwit::store
