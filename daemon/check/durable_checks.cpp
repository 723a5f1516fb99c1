#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "check/checks.hpp"
#include "check/forked_call.hpp"

namespace godwit::check {
namespace {

constexpr int kKillsMax = 100;

bool same(const ForkedCall& a, const ForkedCall& b) {
  return a.status == b.status && (a.status != GW_OK || a.output == b.output);
}

// Kills the process after each checkpoint in turn, and lets the next one go on from there, until one ends.
ForkedCall resume_until_end(Session& session, const Target& target, const std::string& input, int& kills) {
  std::map<std::string, std::string> checkpoints;
  for (kills = 0; kills < kKillsMax; ++kills) {
    session.doing("calling " + target.name() + " after it was killed " + std::to_string(kills) + " times");
    ForkedCall call = run_in_fork(session, target, input, {checkpoints, kills + 1, 1});
    checkpoints = call.checkpoints;
    if (!call.killed) return call;
  }
  return run_in_fork(session, target, input, {checkpoints, kKillsMax + 1, 0});
}

}  // namespace

void check_resume(Session& session) {
  session.limit_time(std::chrono::seconds(60));
  bool any = false;
  for (const auto& target : session.targets()) {
    const auto input = good_input_in_fork(session, target);
    if (!input) continue;
    session.doing("calling " + target.name() + " without interruption");
    const ForkedCall whole = run_in_fork(session, target, *input, {});
    if (whole.checkpoints.empty()) continue;
    any = true;
    const ForkedCall again = run_in_fork(session, target, *input, {});
    int kills = 0;
    const ForkedCall resumed = resume_until_end(session, target, *input, kills);
    if (!resumed.end.empty()) {
      session.error(target.name() + ", resumed after a kill, " + resumed.end);
    } else if (whole.status == GW_OK && resumed.status != GW_OK) {
      session.error(target.name() + " succeeds uninterrupted, and resumed after " + std::to_string(kills) +
                    " kills ends with " + resumed.text());
    } else if (same(whole, again) && !same(whole, resumed)) {
      const std::string text = target.name() + " gives another result when it is killed " + std::to_string(kills) +
                               " times and resumed: " + resumed.text().substr(0, 200) + " instead of " +
                               whole.text().substr(0, 200);
      target.unit->pure ? session.error(text) : session.warning(text);
    }
    session.note(target.name() + ": killed and resumed " + std::to_string(kills) + " times");
  }
  if (!any) session.skip("it keeps no checkpoint with the inputs tried");
}

void check_repeat(Session& session) {
  session.limit_time(std::chrono::seconds(30));
  bool any = false;
  for (const auto& target : session.targets()) {
    if (!target.info->retry_safe && !target.unit->pure) continue;
    any = true;
    for (int i = 0; i < 5 && session.time_left(); ++i) {
      const auto input = session.input(target);
      if (!input) break;
      session.doing("calling " + target.name() + " in two processes with " + input->substr(0, 500));
      const ForkedCall first = run_in_fork(session, target, *input, {});
      const ForkedCall second = run_in_fork(session, target, *input, {});
      for (const auto* call : {&first, &second})
        if (!call->end.empty())
          session.error(target.name() + " " + call->end + ", with the input " + input->substr(0, 300));
      if (target.unit->pure && !same(first, second))
        session.error(target.name() + " is declared pure and gives " + first.text().substr(0, 200) +
                      " in one process, " + second.text().substr(0, 200) + " in another, with the input " +
                      input->substr(0, 300));
      if (target.info->retry_safe && first.status == GW_OK && second.status != GW_OK)
        session.error(target.name() + " is declared retry_safe; made a second time it ends with " + second.text());
    }
  }
  if (!any) session.skip("nothing of it is declared retry_safe or pure");
}

}  // namespace godwit::check
