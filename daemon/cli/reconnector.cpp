#include "cli/reconnector.hpp"

#include <thread>

namespace godwit::cli {
namespace {

constexpr auto kKeepTrying = std::chrono::seconds(30);
constexpr auto kBetweenTries = std::chrono::milliseconds(250);

}  // namespace

void Reconnector::until_done(const std::function<void()>& talk, const std::function<void()>& lost) {
  session_.client();
  for (;;) {
    try {
      return talk();
    } catch (const base::Error& error) {
      lost();
      if (error.kind() != base::ErrorKind::unavailable) throw;
      session_.disconnect();
      wait_for_daemon(error);
    }
  }
}

void Reconnector::answered() {
  if (std::exchange(give_up_at_, std::nullopt)) session_.note("the daemon is back");
}

void Reconnector::wait_for_daemon(const base::Error& why) {
  const auto& problem = why.problems().front();
  const auto now = base::tick();
  if (!give_up_at_) {
    give_up_at_ = now + kKeepTrying;
    session_.note(
        base::Error::Problem{problem.what, problem.place, "trying again for " + base::format_duration(kKeepTrying)}
            .text());
  } else if (now >= *give_up_at_) {
    throw base::Error(
        base::ErrorKind::unavailable, problem.what, problem.place,
        "the run goes on when the daemon is back; `godwit watch " + model::text(run_) + "` looks at it again");
  }
  std::this_thread::sleep_for(kBetweenTries);
}

}  // namespace godwit::cli
