#pragma once
#include <cstdint>
#include <string_view>

namespace timetable {

// Numbers that look random but depend on what was mixed in and on nothing else: the same on every machine, compiler and
// day.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed ^ 0x9e3779b97f4a7c15u) { stir(); }

  // FNV-1a over the bytes and the length, so that ("ab", "c") differs from ("a", "bc").
  Chance& mix(std::string_view text) {
    for (const char c : text) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return mix(text.size());
  }
  Chance& mix(std::uint64_t number) {
    state_ ^= number;
    stir();
    return *this;
  }
  std::uint64_t value() const { return state_; }
  // From `low` to `high`, both included.
  int between(int low, int high) const {
    return low + static_cast<int>((state_ >> 16) % static_cast<std::uint64_t>(high - low + 1));
  }
  bool permille(int share) const { return between(0, 999) < share; }

 private:
  // The finaliser of SplitMix64: each bit of the input changes about half of the bits of the output.
  void stir() {
    state_ += 0x9e3779b97f4a7c15u;
    state_ = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9u;
    state_ = (state_ ^ (state_ >> 27)) * 0x94d049bb133111ebu;
    state_ ^= state_ >> 31;
  }

  std::uint64_t state_;
};

}  // namespace timetable
