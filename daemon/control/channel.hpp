#pragma once
#include <cstdint>
#include <functional>

#include "base/error.hpp"
#include "base/json.hpp"

namespace godwit::control {

// The way back to one client, as commands see it. All calls on the loop's thread; after the client is gone they do
// nothing.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual void send_result(const base::json::value& id, const base::json::value& result) = 0;
  virtual void send_error(const base::json::value& id, const base::Error& error) = 0;
  virtual void send_event(std::uint64_t subscription, const base::json::object& event) = 0;
  // Bytes the client has not taken yet: who has much to say to it may say less.
  virtual std::size_t backlog() const = 0;
  // `end` is called once: when the client unsubscribes or is gone. Throws Error(refused) when the client has too many
  // already.
  virtual std::uint64_t subscribe(std::function<void()> end) = 0;
  // False when there is no such subscription (any more).
  virtual bool unsubscribe(std::uint64_t subscription) = 0;
};

}  // namespace godwit::control
