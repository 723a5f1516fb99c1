#include "store/array_column.hpp"

#include <endian.h>

#include <cstring>

namespace godwit::store {
namespace {

// Dimensions, whether there are nulls, element type, count, lower bound: five 32 bit numbers.
constexpr std::size_t kHeaderSize = 20;
// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochOffset = 946'684'800'000'000;

void write_int32(char* where, std::int32_t value) {
  const std::uint32_t big = htobe32(static_cast<std::uint32_t>(value));
  std::memcpy(where, &big, sizeof big);
}

}  // namespace

ArrayColumn::ArrayColumn(ColumnType type) : type_(type) {
  clear();
}

void ArrayColumn::clear() {
  count_ = 0;
  has_null_ = false;
  bytes_.resize(kHeaderSize);
}

void ArrayColumn::put(std::uint64_t value, std::size_t size) {
  const std::uint64_t big = htobe64(value << (8 * (8 - size)));
  bytes_.append(reinterpret_cast<const char*>(&big), size);
}

void ArrayColumn::add(std::int64_t value) {
  const auto size = static_cast<std::size_t>(info(type_).size);
  put(size, 4);
  put(static_cast<std::uint64_t>(value), size);
  ++count_;
}

void ArrayColumn::add(std::string_view text) {
  put(text.size(), 4);
  bytes_.append(text);
  ++count_;
}

void ArrayColumn::add(base::Instant instant) {
  add(base::to_microseconds(instant) - kEpochOffset);
}

void ArrayColumn::add_null() {
  put(0xffffffff, 4);
  has_null_ = true;
  ++count_;
}

std::string_view ArrayColumn::bytes() {
  write_int32(bytes_.data(), 1);
  write_int32(bytes_.data() + 4, has_null_ ? 1 : 0);
  write_int32(bytes_.data() + 8, info(type_).oid);
  write_int32(bytes_.data() + 12, count_);
  write_int32(bytes_.data() + 16, 1);
  return bytes_;
}

}  // namespace godwit::store
