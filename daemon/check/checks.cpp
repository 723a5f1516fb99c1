#include "check/checks.hpp"

namespace godwit::check {

const std::vector<Check>& checks() {
  using std::chrono::seconds;
  static const std::vector<Check> kChecks{
      {"static.note", "The manifest is there, and is right.", seconds(10), check_note},
      {"static.exports", "The file exports godwit_plugin_v1 and nothing else.", seconds(10), check_exports},
      {"static.libraries", "What it needs of the system, and which distributions have that.", seconds(10),
       check_libraries},
      {"static.hardening", "No executable stack, no text relocations, no run path.", seconds(10), check_hardening},
      {"contract.shape", "A provider has the methods and schemas of the contracts it claims.", seconds(10),
       check_contract_shape},
      {"load.manifest", "It loads, and is what its manifest says.", seconds(30), check_load},
      {"load.quiet", "Loading starts no thread or process, opens no file, takes no signal over, prints nothing.", seconds(30), check_quiet},
      {"contract.answers", "Its answers and errors are those of the contract.", seconds(60), check_contract_answers},
      {"hostile.no_extensions", "It works, or fails with a reason, on a host without extensions.", seconds(60),
       check_no_extensions},
      {"hostile.failing_host", "Each function of the host fails at its n-th call.", seconds(120), check_failing_host},
      {"hostile.input", "Inputs that are empty, huge, deep, no JSON; methods that do not exist.", seconds(60),
       check_hostile_input},
      {"hostile.config", "Configurations that are empty, huge, wrong.", seconds(60), check_hostile_config},
      {"life.slopes", "1,000 times open, run and close: memory, descriptors, threads and processes do not grow.", seconds(120),
       check_slopes},
      {"life.concurrency", "As many calls at once as the manifest allows.", seconds(60), check_concurrency},
      {"life.cancel", "A call that is cancelled at any moment ends within cancel_ms.", seconds(120), check_cancel},
      {"life.deadline", "A call ends within cancel_ms of its deadline.", seconds(60), check_deadline},
      {"durable.resume", "Killed after each checkpoint and resumed, a call gives what it gives uninterrupted.",
       seconds(120), check_resume},
      {"durable.repeat",
       "A retry_safe call made twice ends the same way; a pure one gives the same bytes in two processes.", seconds(60),
       check_repeat},
      {"fuzz.inputs", "Inputs that fit the schema: results fit theirs.", seconds(60), check_fuzz},
      {"fuzz.garbage", "Inputs that nearly fit, or not at all.", seconds(60), check_garbage},
  };
  return kChecks;
}

}  // namespace godwit::check
