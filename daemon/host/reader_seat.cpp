#include "host/reader_seat.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace godwit::host {

ReaderSeat::ReaderSeat() : alarm_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
  if (!alarm_) throw std::system_error(errno, std::generic_category(), "timerfd_create");
}

std::int64_t ReaderSeat::now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void ReaderSeat::set_alarm(std::int64_t due_in) {
  if (alarm_is_set_.exchange(true)) return;
  itimerspec due{};
  due.it_value.tv_nsec = static_cast<long>(due_in);
  ::timerfd_settime(alarm_.get(), 0, &due, nullptr);
}

ReaderSeat::Absence ReaderSeat::leave() {
  const Absence absence = now();
  away_since_ = absence;
  set_alarm(kPatience.count());
  return absence;
}

bool ReaderSeat::come_back(Absence absence) {
  return away_since_.compare_exchange_strong(absence, kPresent);
}

void ReaderSeat::wait_to_take_over() {
  while (true) {
    std::uint64_t times = 0;
    if (::read(alarm_.get(), &times, sizeof times) != sizeof times) continue;
    alarm_is_set_ = false;
    Absence since = away_since_;
    if (since == kPresent) continue;
    const std::int64_t left = since + kPatience.count() - now();
    if (left > 0) {
      set_alarm(left);
    } else if (away_since_.compare_exchange_strong(since, kPresent)) {
      return;
    }
  }
}

}  // namespace godwit::host
