#include "check/elf_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "support/seed.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;

namespace {

const std::string kOldPlugin = GODWIT_SOURCE_DIR "/tests/abi/plugins/old_c.so";

}  // namespace

TEST_CASE("a plugin's dynamic part is read without running it") {
  const auto file = check::read_elf(kOldPlugin);
  CHECK(file.exports == std::vector<std::string>{"godwit_plugin_v1"});
  CHECK(file.needed == std::vector<std::string>{"libc.so.6"});
  CHECK(file.has_stack_header);
  CHECK_FALSE(file.executable_stack);
  CHECK_FALSE(file.text_relocations);
  CHECK(file.rpath.empty());
  CHECK_FALSE(file.versions.empty());
}

TEST_CASE("a damaged file is refused or read, and never more") {
  std::ifstream in(kOldPlugin, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  std::mt19937_64 random(support::seed());
  const support::TempDir dir;
  const std::string path = (dir / "damaged.so").string();
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    for (int change = 0; change < 8; ++change)
      bytes[random() % (i % 2 ? bytes.size() : 1024)] = static_cast<char>(random());
    if (i % 5 == 0) bytes.resize(random() % bytes.size());
    std::ofstream(path, std::ios::binary) << bytes;
    std::size_t exports = 0;
    try {
      exports = check::read_elf(path).exports.size();
    } catch (const base::Error&) {
      // The refusal is one of the two good ends.
    }
    CHECK(exports < 100'000);
  }
}
