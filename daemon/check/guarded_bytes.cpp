#include "check/guarded_bytes.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace godwit::check {

GuardedBytes::GuardedBytes(std::string_view bytes) : size_(bytes.size()) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t room = (bytes.size() + page - 1) / page * page;
  map_size_ = room + page;
  void* map = ::mmap(nullptr, map_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) throw std::bad_alloc();
  map_ = static_cast<char*>(map);
  data_ = map_ + room - size_;
  if (size_ > 0) std::memcpy(data_, bytes.data(), size_);
  ::mprotect(map_ + room, page, PROT_NONE);
  // The other direction: borrowed bytes are not to be written to.
  if (room > 0) ::mprotect(map_, room, PROT_READ);
}

GuardedBytes::~GuardedBytes() {
  ::munmap(map_, map_size_);
}

void GuardedBytes::revoke() {
  ::mprotect(map_, map_size_, PROT_NONE);
}

}  // namespace godwit::check
