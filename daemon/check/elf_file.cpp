#include "check/elf_file.hpp"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace godwit::check {
namespace {

constexpr std::size_t kEntriesMax = 1u << 20;

// The file's bytes, read only where they are.
class Bytes {
 public:
  explicit Bytes(const std::string& path) : path_(path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) throw base::Error(base::ErrorKind::failed, "cannot be read", {path, 0, 0, {}});
  }
  template <typename T>
  T at(std::uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) throw damaged();
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  std::string text(std::uint64_t offset) const {
    if (offset >= bytes_.size()) throw damaged();
    const std::size_t end = bytes_.find('\0', offset);
    if (end == std::string::npos) throw damaged();
    return bytes_.substr(offset, end - offset);
  }
  base::Error damaged() const { return base::refused("is damaged: it points outside itself", {path_, 0, 0, {}}); }
  base::Error refused(const std::string& what) const { return base::refused(what, {path_, 0, 0, {}}); }

 private:
  std::string path_;
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(const std::string& path) : bytes_(path) {
    const auto header = bytes_.at<Elf64_Ehdr>(0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN || header.e_phentsize != sizeof(Elf64_Phdr))
      throw bytes_.refused("is no 64-bit little-endian shared object");
    for (std::size_t i = 0; i < header.e_phnum; ++i)
      segments_.push_back(bytes_.at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
  }

  ElfFile read() {
    ElfFile file;
    for (const auto& segment : segments_) {
      if (segment.p_type == PT_GNU_STACK) {
        file.has_stack_header = true;
        file.executable_stack = (segment.p_flags & PF_X) != 0;
      }
      if (segment.p_type == PT_DYNAMIC) read_dynamic(segment);
    }
    if (const auto strings = value(DT_STRTAB)) strings_ = offset_of(*strings);
    for (const auto& [tag, at] : dynamic_) read_entry(tag, at, file);
    read_symbols(file);
    read_versions(file);
    return file;
  }

 private:
  void read_dynamic(const Elf64_Phdr& segment) {
    for (std::uint64_t i = 0; i < segment.p_filesz / sizeof(Elf64_Dyn) && i < kEntriesMax; ++i) {
      const auto entry = bytes_.at<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
      if (entry.d_tag == DT_NULL) return;
      dynamic_.emplace_back(entry.d_tag, entry.d_un.d_val);
    }
  }

  std::optional<std::uint64_t> value(std::int64_t tag) const {
    for (const auto& [known, at] : dynamic_)
      if (known == tag) return at;
    return std::nullopt;
  }

  std::uint64_t offset_of(std::uint64_t address) const {
    for (const auto& segment : segments_)
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    throw bytes_.damaged();
  }

  std::string string_at(std::uint64_t index) const { return bytes_.text(strings_ + index); }

  void read_entry(std::int64_t tag, std::uint64_t at, ElfFile& file) const {
    if (tag == DT_NEEDED) file.needed.push_back(string_at(at));
    if (tag == DT_RPATH || tag == DT_RUNPATH) file.rpath = string_at(at);
    if (tag == DT_TEXTREL || (tag == DT_FLAGS && (at & DF_TEXTREL))) file.text_relocations = true;
  }

  // The number of symbols stands in no entry; the hash tables know it.
  std::uint64_t symbol_count() const {
    if (const auto hash = value(DT_HASH)) return bytes_.at<std::uint32_t>(offset_of(*hash) + 4);
    const auto hash = value(DT_GNU_HASH);
    if (!hash) return 0;
    const std::uint64_t at = offset_of(*hash);
    const auto buckets = bytes_.at<std::uint32_t>(at), first = bytes_.at<std::uint32_t>(at + 4),
               bloom = bytes_.at<std::uint32_t>(at + 8);
    const std::uint64_t bucket_at = at + 16 + std::uint64_t(bloom) * 8;
    std::uint32_t last = 0;
    for (std::uint64_t i = 0; i < buckets && i < kEntriesMax; ++i)
      last = std::max(last, bytes_.at<std::uint32_t>(bucket_at + i * 4));
    if (last < first) return first;
    const std::uint64_t chain_at = bucket_at + std::uint64_t(buckets) * 4;
    while ((bytes_.at<std::uint32_t>(chain_at + std::uint64_t(last - first) * 4) & 1) == 0) ++last;
    return std::uint64_t(last) + 1;
  }

  void read_symbols(ElfFile& file) const {
    const auto table = value(DT_SYMTAB);
    if (!table) return;
    const std::uint64_t at = offset_of(*table), count = symbol_count();
    for (std::uint64_t i = 1; i < count && i < kEntriesMax; ++i) {
      const auto symbol = bytes_.at<Elf64_Sym>(at + i * sizeof(Elf64_Sym));
      if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
      const std::string name = string_at(symbol.st_name);
      if (symbol.st_shndx != SHN_UNDEF) {
        if (ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT && symbol.st_shndx != SHN_ABS)
          file.exports.push_back(name);
      } else if (ELF64_ST_BIND(symbol.st_info) != STB_WEAK) {
        file.undefined.push_back(name);
      }
    }
  }

  void read_versions(ElfFile& file) const {
    const auto table = value(DT_VERNEED);
    const std::uint64_t count = value(DT_VERNEEDNUM).value_or(0);
    if (!table) return;
    std::uint64_t at = offset_of(*table);
    for (std::uint64_t i = 0; i < count && i < kEntriesMax; ++i) {
      const auto need = bytes_.at<Elf64_Verneed>(at);
      std::uint64_t part = at + need.vn_aux;
      for (std::uint32_t j = 0; j < need.vn_cnt; ++j) {
        const auto version = bytes_.at<Elf64_Vernaux>(part);
        file.versions.push_back({string_at(need.vn_file), string_at(version.vna_name)});
        part += version.vna_next;
      }
      at += need.vn_next;
    }
  }

  Bytes bytes_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<std::pair<std::int64_t, std::uint64_t>> dynamic_;
  std::uint64_t strings_ = 0;
};

}  // namespace

ElfFile read_elf(const std::string& path) {
  return Reader(path).read();
}

}  // namespace godwit::check
