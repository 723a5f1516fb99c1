#pragma once
#include <memory>

#include "control/channel.hpp"
#include "engine/answer.hpp"

namespace godwit::control {

// Answers one request, once. Copies share the one answer; when the last one goes without having answered, the client is
// told of an internal error, so that no request stays open for ever.
class Reply {
 public:
  // `settled` is called when the answer has been given, however it was.
  Reply(std::weak_ptr<Channel> channel, base::json::value id, std::function<void()> settled);

  void result(const base::json::value& value) const;
  void error(const base::Error& error) const;
  // Runs `body`; what it throws becomes the answer. A base::Error goes to the client as it is, anything else is a bug
  // and is logged.
  void guard(const std::function<void()>& body) const;
  // The answer of an asynchronous call: an error goes to the client, a value to `then`, which is guarded.
  template <typename T, typename Then>
  engine::Answer<T> when(Then then) const {
    return [reply = *this, then = std::move(then)](engine::Result<T> result) mutable {
      if (!result) return reply.error(result.error());
      reply.guard([&] { then(*result); });
    };
  }
  std::shared_ptr<Channel> channel() const;  // null when the client is gone

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace godwit::control
