#pragma once
#include <chrono>
#include <string_view>
#include <vector>

#include "check/session.hpp"

namespace godwit::check {

// One thing that is tried with a plugin, in a process of its own.
struct Check {
  std::string_view name;       // "life.cancel"
  std::string_view summary;    // one sentence
  std::chrono::seconds limit;  // after which its process is killed and the check has failed
  void (*run)(Session& session);
};

// All of them, in the order in which they are made.
const std::vector<Check>& checks();

// In static_checks.cpp: nothing of the plugin runs.
void check_note(Session& session);
void check_exports(Session& session);
void check_libraries(Session& session);
void check_hardening(Session& session);
// contract_checks.cpp
void check_contract_shape(Session& session);
void check_contract_answers(Session& session);
// load_checks.cpp
void check_load(Session& session);
void check_quiet(Session& session);
// hostile_checks.cpp
void check_no_extensions(Session& session);
void check_failing_host(Session& session);
void check_hostile_input(Session& session);
void check_hostile_config(Session& session);
// life_checks.cpp
void check_slopes(Session& session);
void check_concurrency(Session& session);
void check_cancel(Session& session);
void check_deadline(Session& session);
// durable_checks.cpp
void check_resume(Session& session);
void check_repeat(Session& session);
// fuzz_checks.cpp
void check_fuzz(Session& session);
void check_garbage(Session& session);

}  // namespace godwit::check
