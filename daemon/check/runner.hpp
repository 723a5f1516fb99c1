#pragma once
#include <string>
#include <vector>

#include "check/checks.hpp"

namespace godwit::check {

// Makes checks, each in a process of its own: a crash, a hang or an exit() of the plugin is a finding with the last
// thing that was tried.
class Runner {
 public:
  // `words` are the arguments that make this program know `options` again.
  Runner(const CheckOptions& options, std::vector<std::string> words) : options_(options), words_(std::move(words)) {}

  Outcome run(const Check& check) const;
  // In this process, for a debugger.
  Outcome run_here(const Check& check) const;
  // The other side of run(): what is found goes to descriptor 3. Ends the process.
  [[noreturn]] void run_child(const Check& check) const;

 private:
  const CheckOptions& options_;
  std::vector<std::string> words_;
};

}  // namespace godwit::check
