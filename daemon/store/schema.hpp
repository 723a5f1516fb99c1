#pragma once
#include <span>
#include <string_view>

namespace godwit::store {

// One step of the schema's history. What was released is never changed; a later migration changes what it made.
struct Migration {
  int number;
  std::string_view name;
  std::string_view sql;
};
std::span<const Migration> migrations();

}  // namespace godwit::store
