#include "wire/elf_note.hpp"

#include <elf.h>

#include <catch2/catch.hpp>
#include <cstring>
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

TEST_CASE("a note that is longer than its segment, and notes without end, are told as such") {
  const support::TempDir folder;
  const std::string path = (folder / "long.so").string();
  const auto why = [&](const std::string& bytes) {
    write(path, bytes);
    try {
      wire::read_manifest_note(path);
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto change = [](std::uint64_t filesz, std::uint32_t descsz) {
    std::string bytes = contents(kPlugin);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      char* at = bytes.data() + header.e_phoff + i * sizeof segment;
      std::memcpy(&segment, at, sizeof segment);
      if (segment.p_type != PT_NOTE) continue;
      // Its first note's size, which stands behind that of its name.
      if (descsz > 0) std::memcpy(bytes.data() + segment.p_offset + 4, &descsz, sizeof descsz);
      if (filesz > 0) segment.p_filesz = filesz;
      std::memcpy(at, &segment, sizeof segment);
    }
    return bytes;
  };
  CHECK_THAT(why(change(0, 0xffffffff)), Catch::Contains("longer than its segment"));
  CHECK_THAT(why(change(64u << 20, 0)), Catch::Contains("has notes of 67108864 bytes"));
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
