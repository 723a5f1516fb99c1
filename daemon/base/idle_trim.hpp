#pragma once
#include <cstddef>
#include <functional>

namespace godwit::base {

// Gives back to the system what any peak left behind: the allocator keeps what was freed, however long nobody asks for it. To be
// asked now and then; HeapTrim is for what leaves by the thousand while the process is busy.
class IdleTrim {
 public:
  // `busy`: the part of a processor that the process has used since the last look; by itself it looks at the clocks.
  explicit IdleTrim(std::function<double()> busy = processor_share());

  // Trims when the process has grown since the last time; true when it did. That takes milliseconds, for which a process
  // that is busy has no time.
  bool look();
  // Whatever there is.
  void trim();

 private:
  static std::function<double()> processor_share();

  std::function<double()> busy_;
  std::size_t trimmed_to_ = 0;  // bytes that the process had after the last time
};

}  // namespace godwit::base
