#include <catch2/catch.hpp>
#include <future>

#include "host/reader_seat.hpp"

using godwit::host::ReaderSeat;

TEST_CASE("a reader that comes back in time keeps its seat, and one that does not loses it to the stand-in") {
  ReaderSeat seat;
  auto taken = std::async(std::launch::async, [&] { seat.wait_to_take_over(); });
  // Many short absences, which together last longer than one may.
  const auto end = std::chrono::steady_clock::now() + 5 * ReaderSeat::kPatience;
  std::size_t kept = 0, lost = 0;
  do (seat.come_back(seat.leave()) ? kept : lost) += 1;
  while (lost == 0 && std::chrono::steady_clock::now() < end);
  // A machine may stop this thread for longer than the patience lasts, within an absence: then the seat is rightly
  // lost.
  if (lost == 0) {
    CHECK(kept > 0);
    const auto absence = seat.leave();
    taken.wait();
    CHECK_FALSE(seat.come_back(absence));
  }
  REQUIRE(taken.wait_for(std::chrono::seconds(10)) == std::future_status::ready);

  // The one that took the seat may leave it too, and has a stand-in of its own.
  auto next = std::async(std::launch::async, [&] { seat.wait_to_take_over(); });
  const auto absence = seat.leave();
  next.wait();
  CHECK_FALSE(seat.come_back(absence));
}
