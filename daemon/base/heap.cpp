#include "base/heap.hpp"

#include <malloc.h>

#include <cstddef>

// jemalloc's, in a program that is linked with it (godwitd).
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old, std::size_t* old_size, void* value, std::size_t size);

namespace godwit::base {

void give_back_heap() {
  if (!mallctl) {
    ::malloc_trim(0);
    return;
  }
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // MALLCTL_ARENAS_ALL
}

}  // namespace godwit::base
