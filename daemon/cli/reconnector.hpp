#pragma once
#include <functional>
#include <optional>

#include "cli/session.hpp"
#include "model/run.hpp"

namespace godwit::cli {

// Lets a command that stays with a run outlast a daemon that is started anew.
class Reconnector {
 public:
  Reconnector(Session& session, model::RunId run) : session_(session), run_(run) {}

  // Calls `talk` until it returns; once more whenever the daemon was lost in it, for a while. No daemon at the beginning
  // is an error at once. `lost` is called before anything is said of it.
  void until_done(const std::function<void()>& talk, const std::function<void()>& lost = [] {});
  // To be called in `talk` when the daemon has answered.
  void answered();

 private:
  // Says that the daemon is lost and waits a little; throws when it has been lost for too long.
  void wait_for_daemon(const base::Error& why);

  Session& session_;
  model::RunId run_;
  std::optional<base::Tick> give_up_at_;  // set while the daemon is lost
};

}  // namespace godwit::cli
