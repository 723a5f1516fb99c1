#include <catch2/catch.hpp>

#include "model/run.hpp"

using namespace godwit::model;

TEST_CASE("every state has a name that reads back") {
  for (const auto& info : kRunStates) CHECK(parse_run_state(info.name) == info.state);
  for (const auto name : kStepStates) CHECK(parse_step_state(name).has_value());
  CHECK_FALSE(parse_run_state("sleeping"));
}

TEST_CASE("a run ends in one of three states") {
  int terminal = 0;
  for (const auto& info : kRunStates) terminal += info.terminal;
  CHECK(terminal == 3);
  CHECK(is_terminal(RunState::cancelled));
  CHECK_FALSE(is_terminal(RunState::blocked));
}
