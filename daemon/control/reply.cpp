#include "control/reply.hpp"

#include "base/log.hpp"

namespace godwit::control {

struct Reply::State {
  std::weak_ptr<Channel> channel;
  base::json::value id;
  std::function<void()> settled;

  State(std::weak_ptr<Channel> to, base::json::value request, std::function<void()> then)
      : channel(std::move(to)), id(std::move(request)), settled(std::move(then)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    try {
      if (settled)
        give([this](Channel& to) {
          to.send_error(id, base::Error(base::ErrorKind::internal, "the request was dropped without an answer"));
        });
    } catch (const std::exception& error) {
      base::log::error("control: an answer was lost: {}", error.what());
    }
  }

  template <typename Send>
  void give(Send send) {
    if (!settled) return base::log::error("control: a request was answered twice");
    const auto then = std::exchange(settled, nullptr);
    if (const auto to = channel.lock()) send(*to);
    then();
  }
};

Reply::Reply(std::weak_ptr<Channel> channel, base::json::value id, std::function<void()> settled)
    : state_(std::make_shared<State>(std::move(channel), std::move(id), std::move(settled))) {}

void Reply::result(const base::json::value& value) const {
  state_->give([&](Channel& to) { to.send_result(state_->id, value); });
}

void Reply::error(const base::Error& error) const {
  state_->give([&](Channel& to) { to.send_error(state_->id, error); });
}

void Reply::guard(const std::function<void()>& body) const {
  try {
    body();
  } catch (const base::Error& caught) {
    error(caught);
  } catch (const std::exception& caught) {
    base::log::error("control: a command failed by a bug of ours: {}", caught.what());
    error(base::Error(base::ErrorKind::internal, std::string("a bug of godwit's: ") + caught.what(), {},
                      "the daemon's log may say more"));
  }
}

std::shared_ptr<Channel> Reply::channel() const {
  return state_->channel.lock();
}

}  // namespace godwit::control
