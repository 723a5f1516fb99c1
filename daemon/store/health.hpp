#pragma once
#include <mutex>
#include <string>

#include "base/json.hpp"
#include "base/time.hpp"

namespace godwit::store {

// How the store is, as `godwit status` shows it. Used by all threads of the store and by the engine's.
class Health {
 public:
  enum class State { starting, up, down, fenced };

  void set(State state, const std::string& error = {});
  // Down for good: trying again is of no use.
  void give_up(const std::string& error);
  // Keeps the state but says what is wrong just now, or that nothing is.
  void set_error(const std::string& error);
  void set_server_version(int version);
  void add_warning(const std::string& warning);
  base::json::object show() const;

 private:
  mutable std::mutex mutex_;
  State state_ = State::starting;
  base::Instant since_ = base::now();
  std::string error_;
  int server_version_ = 0;
  base::json::array warnings_;
};

}  // namespace godwit::store
