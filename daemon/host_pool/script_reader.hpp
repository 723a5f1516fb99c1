#pragma once
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "jobfile/script_reader.hpp"
#include "process/child.hpp"
#include "wire/frame.hpp"

namespace godwit::host_pool {

// Reads scripts in a host process of its own, started with the first one and again when one has killed it. Waits for
// the answer, but not longer than a script may take to be read.
class ScriptReader : public jobfile::ScriptReader {
 public:
  // `program` is the absolute path of godwit-host.
  explicit ScriptReader(std::string program) : program_(std::move(program)) {}
  base::json::object read(const model::ScriptBundle& bundle) override;
  // Ends the process until the next script comes.
  void rest() { child_.reset(); }

 private:
  void start();
  void send(const std::string& bytes);
  std::string ask(const std::string& request, bool& refused);

  std::string program_;
  std::optional<process::Child> child_;
  base::UniqueFd socket_;
  wire::FrameReader frames_;
  std::uint64_t last_ = 0;
};

}  // namespace godwit::host_pool
