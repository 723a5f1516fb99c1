#pragma once
#include <functional>

namespace godwit::store {

// The engine's loop, as far as a socket needs it. Used on the engine's thread.
class SocketWatch {
 public:
  virtual ~SocketWatch() = default;
  // Calls `readable` on the engine's thread each time `fd` has something to read or was closed, never from inside this
  // call, until forget(). One watch for a descriptor.
  virtual void watch(int fd, std::function<void()> readable) = 0;
  // To be called before the descriptor is closed; `readable` is not called any more.
  virtual void forget(int fd) = 0;
};

}  // namespace godwit::store
