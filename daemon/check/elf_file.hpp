#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace godwit::check {

// What the dynamic part of a shared object says, read without running it. Every size in the file is taken for hostile.
struct ElfFile {
  struct Version {
    std::string library;  // "libc.so.6"
    std::string name;     // "GLIBC_2.34"
  };
  std::vector<std::string> exports;
  std::vector<std::string> undefined;
  std::vector<std::string> needed;  // libraries
  std::vector<Version> versions;    // that it needs of them
  std::string rpath;                // DT_RPATH or DT_RUNPATH
  bool text_relocations = false;
  bool executable_stack = false;
  bool has_stack_header = false;
};

// Throws base::Error for what is no 64-bit little-endian shared object.
ElfFile read_elf(const std::string& path);

}  // namespace godwit::check
