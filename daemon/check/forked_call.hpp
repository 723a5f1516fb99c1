#pragma once
#include <map>
#include <optional>
#include <string>

#include "check/session.hpp"

namespace godwit::check {

// A call made in a process of its own, which loads the plugin anew. This process must not have loaded it.
struct ForkedCall {
  std::string end;      // "died of signal SIGSEGV ..." when it did not end by itself; empty otherwise
  bool killed = false;  // by us, at the checkpoint that was named
  gw_status status = GW_FAILED;
  std::string output;
  std::string failure;
  std::map<std::string, std::string> checkpoints;  // what was durable at its end

  std::string text() const { return status == GW_OK ? output : "status " + std::to_string(status) + ", " + failure; }
};

struct ForkedPlan {
  std::map<std::string, std::string> checkpoints;  // from earlier attempts
  int attempt = 1;
  int kill_at = 0;  // SIGKILL after so many checkpoints of this attempt; 0 for never
};

ForkedCall run_in_fork(Session& session, const Target& target, const std::string& input, const ForkedPlan& plan);
// An input with which the method succeeds, best one with which it keeps checkpoints; without loading the plugin here.
std::optional<std::string> good_input_in_fork(Session& session, const Target& target);

}  // namespace godwit::check
