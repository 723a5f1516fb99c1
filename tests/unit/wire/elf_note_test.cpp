#include "wire/elf_note.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

#include "base/error.hpp"
#include "support/seed.hpp"
#include "support/temp_dir.hpp"
#include "wire/manifest.hpp"

using namespace godwit;

namespace {

const std::string kPlugin = GODWIT_BINARY_DIR "/test-plugins/noop.so";

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// What reading gives: the text, or "" after a clean refusal.
std::string read_or_refuse(const std::string& path) {
  try {
    return wire::read_manifest_note(path);
  } catch (const base::Error& error) {
    CHECK(std::string(error.what()).find(path) != std::string::npos);
    return "";
  }
}

}  // namespace

TEST_CASE("the manifest is read from a plugin without running it") {
  const auto manifest = wire::parse_manifest(wire::read_manifest_note(kPlugin), kPlugin);
  CHECK(manifest.id == "test.noop");
  CHECK(manifest.concurrency == 64);
  REQUIRE(manifest.units.size() == 1);
  CHECK(manifest.units[0].methods.at("").retry_safe);
}

TEST_CASE("a plugin cut at any length gives its manifest or a refusal") {
  const support::TempDir folder;
  const std::string path = (folder / "cut.so").string();
  const std::string whole = contents(kPlugin);
  const std::string manifest = wire::read_manifest_note(kPlugin);
  std::size_t read = 0;
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 7 : 509) {
    write(path, std::string_view(whole).substr(0, size));
    const std::string got = read_or_refuse(path);
    REQUIRE((got.empty() || got == manifest));
    read += got.empty() ? 0 : 1;
  }
  CHECK(read > 0);
}

TEST_CASE("a plugin with damaged bytes never crashes the reader") {
  const support::TempDir folder;
  const std::string path = (folder / "damaged.so").string();
  const std::string whole = contents(kPlugin).substr(0, 8192);
  std::mt19937_64 random(support::seed());
  for (int round = 0; round < 500; ++round) {
    std::string bytes = whole;
    // Half of the changes hit the headers, where the sizes and offsets are.
    for (int change = 0; change < 4; ++change)
      bytes[random() % (change % 2 == 0 ? 1024 : bytes.size())] = static_cast<char>(random());
    write(path, bytes);
    const std::string got = read_or_refuse(path);
    REQUIRE(got.size() <= 1024 * 1024);
    if (got.empty()) continue;
    try {
      wire::parse_manifest(got, path);
    } catch (const base::Error&) {
      // A damaged manifest is refused like any other bad one.
    }
  }
  CHECK(read_or_refuse(kPlugin) != "");
}

TEST_CASE("files that are no plugins are refused by what they are") {
  const support::TempDir folder;
  const auto why = [](const std::string& path) {
    try {
      wire::read_manifest_note(path);
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  write((folder / "text.so").string(), "just text, and not little of it");
  CHECK_THAT(why((folder / "text.so").string()), Catch::Contains("no ELF file"));
  write((folder / "empty.so").string(), "");
  CHECK_THAT(why((folder / "empty.so").string()), Catch::Contains("too early"));
  CHECK_THAT(why(folder.path().string()), Catch::Contains("no regular file"));
  CHECK_THAT(why((folder / "absent.so").string()), Catch::Contains("No such file"));
  CHECK_THAT(why("/lib/x86_64-linux-gnu/libc.so.6"), Catch::Contains("no godwit manifest"));
}
