#pragma once
#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace core {

struct ShellCommand {
  std::vector<std::string> argv;  // the first is a path with a slash in it
  std::vector<std::string> environment;
  std::string directory;
};

// A program in a process group of its own, with a guard process as the group's leader. The guard kills the whole group
// when this process is gone, however it ended, and reports how the program ended. Destruction kills the group.
class ShellProcess {
 public:
  // Calls godwit::fail() when the program cannot be started.
  explicit ShellProcess(const ShellCommand& command);
  ~ShellProcess();
  ShellProcess(const ShellProcess&) = delete;
  ShellProcess& operator=(const ShellProcess&) = delete;

  // Feeds `input` to stdin and hands over what comes out, until the program has ended and its output with it.
  // `keep_going` is asked at least every 20 ms; false or an exception kills the group.
  using Sink = std::function<void(std::string_view)>;
  void communicate(std::string_view input, const Sink& on_stdout, const Sink& on_stderr,
                   const std::function<bool()>& keep_going);

  // After communicate(): the wait status of the program.
  int status() const { return status_; }
  void kill_group();

 private:
  void feed(std::string_view& input);

  pid_t guard_ = -1;
  int stdin_ = -1;
  int stdout_ = -1;
  int stderr_ = -1;
  int report_ = -1;  // the guard's word on the end of the program
  int life_ = -1;    // its other end, in the guard, closes with this process
  int status_ = 0;
};

}  // namespace core
