#pragma once
#include "base/heap.hpp"

namespace godwit::base {

// Gives memory back to the system when things leave by the thousand, because the allocator would keep what they had.
class HeapTrim {
 public:
  // One more has left; `last`: none of them is there any more.
  void left(bool last) {
    if (++left_ < (last ? kWhenEmpty : kAlways)) return;
    left_ = 0;
    give_back_heap();
  }

 private:
  static constexpr int kWhenEmpty = 256;
  static constexpr int kAlways = 4096;
  int left_ = 0;  // since memory was given back
};

}  // namespace godwit::base
