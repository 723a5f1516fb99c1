#pragma once
#include <filesystem>

#include "lab/test_file.hpp"

namespace godwit::lab {

// Reads a test file (`x.test.yaml`) and what it names: fixtures, recorded runs. Throws Error(refused) with every
// problem, each with file, line, column and path; Error(not_found) when there is no such file.
TestFile read_tests(const std::filesystem::path& file);

inline constexpr std::size_t kJobFileMax = 1u << 20;

// The file's bytes; throws Error(not_found), or Error(refused) for more than `limit` bytes.
std::string read_file(const std::filesystem::path& file, std::size_t limit = 16u << 20);

}  // namespace godwit::lab
