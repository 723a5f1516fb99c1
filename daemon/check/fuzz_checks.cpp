#include <memory>

#include "check/checks.hpp"

namespace godwit::check {
namespace {

constexpr int kInputs = 300;

}  // namespace

void check_fuzz(Session& session) {
  session.limit_time(std::chrono::seconds(20));
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    const jobfile::Schema result(target.info->result, "the result of " + target.name());
    int good = 0, tried = 0;
    for (; tried < kInputs && session.time_left(); ++tried) {
      const auto input = session.input(target);
      if (!input) break;
      session.doing("calling " + target.name() + " with " + input->substr(0, 2000));
      const Ran ran = instance->run(target.method, *input);
      session.complaints(target.name(), ran);
      if (ran.status != GW_OK) continue;
      ++good;
      const auto problems = target.info->result.empty()
                                ? std::vector<base::Error::Problem>()
                                : result.violations(base::parse_json(ran.output.value_or("null")));
      if (!problems.empty())
        session.error(target.name() + ": the result does not fit its schema: " + problems.front().text() +
                      ", with the input " + input->substr(0, 300));
    }
    if (tried == 0) {
      session.warning(
          target.name() +
          ": no input can be made that fits its schema; put \"examples\" into the schema, or give some with --inputs");
    } else {
      session.note(target.name() + ": " + std::to_string(good) + " of " + std::to_string(tried) + " calls succeeded");
    }
  }
}

void check_garbage(Session& session) {
  session.limit_time(std::chrono::seconds(20));
  for (const auto& target : session.targets()) {
    const auto instance = session.open(target);
    for (int i = 0; i < kInputs && session.time_left(); ++i) {
      const std::string input = session.bad_input(target);
      session.doing("calling " + target.name() + " with " + input.substr(0, 2000));
      session.complaints(target.name(), instance->run(target.method, input));
    }
  }
}

}  // namespace godwit::check
