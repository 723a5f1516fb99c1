#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "base/unique_fd.hpp"

namespace godwit::artifact {

// A file in the store: its content names it.
struct Stored {
  std::string sha256;  // hexadecimal
  std::uint64_t size = 0;
};

// "sha256:<hex>", the name that people and plugins see; and back, empty when it is no such name.
std::string name_of(const std::string& sha256);
std::string sha256_of(std::string_view name);

// The files of a directory, each stored once by the SHA-256 of its content and never changed. Safe for use by several
// threads and processes at once. All functions throw base::Error when the disk says no.
class Files {
 public:
  // Nothing is made before the first file is. A file may have at most `size_max` bytes.
  Files(std::string directory, std::uint64_t size_max);

  // An unnamed, empty file to be filled by somebody else: readable, writable, gone when it is closed.
  base::UniqueFd create() const;
  // An unnamed file of these bytes, for reading only.
  base::UniqueFd copy(std::string_view bytes) const;
  // Stores the content of a file as it is now, durably. The writer may keep his descriptor: what is stored is a copy.
  // Throws Error(refused) when it is too large. Takes as long as reading and writing it does.
  Stored commit(int fd) const;
  // For reading; empty when there is no such file.
  base::UniqueFd open(const std::string& sha256) const;

  // Whether the files are those of `owner` (a database, say), as they are of the first who asks when there are any.
  bool claim(const std::string& owner) const;
  // The files that nobody has stored, or stored again, for so long.
  std::vector<std::string> idle(base::Duration since) const;
  // Removes a file if that is still so; whoever stores it at the same time finds it stored.
  bool remove(const std::string& sha256, base::Duration idle_since) const;

 private:
  class Writer;
  class Lock;
  std::string path_of(const std::string& sha256) const;

  std::string directory_;
  std::uint64_t size_max_;
};

}  // namespace godwit::artifact
