#pragma once
#include <cstddef>
#include <string_view>

namespace godwit::check {

// Bytes that end at a page nobody may touch: who reads one byte too many, or looks for a terminating NUL, is caught in
// the act. After revoke() nobody may read any of them.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::string_view bytes);
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes();

  std::string_view view() const { return {data_, size_}; }
  void revoke();

 private:
  char* map_;
  std::size_t map_size_;
  char* data_;
  std::size_t size_;
};

}  // namespace godwit::check
