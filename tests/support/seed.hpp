#pragma once
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace godwit::support {

// The seed of a test that makes random choices, printed so that GODWIT_SEED=... can replay it.
inline std::uint64_t seed() {
  const char* given = std::getenv("GODWIT_SEED");
  const std::uint64_t seed = given ? std::stoull(given) : std::random_device{}();
  std::cout << "GODWIT_SEED=" << seed << "\n";
  return seed;
}

}  // namespace godwit::support
