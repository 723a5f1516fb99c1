#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/unique_fd.hpp"

namespace godwit::host {

// Who reads the socket. The reader may do short work itself, which saves waking another thread; a stand-in takes the
// seat when that work turns out to be long.
class ReaderSeat {
 public:
  // How long the reader may be away before it loses the seat.
  static constexpr std::chrono::nanoseconds kPatience = std::chrono::milliseconds(1);

  ReaderSeat();
  // The name of one absence.
  using Absence = std::int64_t;
  // The reader turns to other work. [reader]
  Absence leave();
  // The reader is back; returns whether it still is the reader. [the thread that left]
  bool come_back(Absence absence);
  // Returns when the reader was away for too long: the calling thread is the reader from now on. [one stand-in]
  void wait_to_take_over();

 private:
  static constexpr Absence kPresent = 0;
  static std::int64_t now();
  // One alarm serves many short absences, since it is not set again while it is set.
  void set_alarm(std::int64_t due_in);

  base::UniqueFd alarm_;
  std::atomic<bool> alarm_is_set_ = false;
  std::atomic<Absence> away_since_ = kPresent;  // an absence is known by its beginning: steady_clock, in nanoseconds
};

}  // namespace godwit::host
