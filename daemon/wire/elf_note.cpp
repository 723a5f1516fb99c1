#include "wire/elf_note.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace godwit::wire {
namespace {

constexpr std::size_t kSegmentsMax = 256;
constexpr std::size_t kNoteSegmentSizeMax = 1024 * 1024;
constexpr std::string_view kNoteName{"godwit\0", 7};
constexpr std::uint32_t kNoteType = 1;
#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "name this machine's ELF number"
#endif

// A file that is read by offset, with its name for errors.
class File {
 public:
  explicit File(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat status {};
    if (!fd_ || fstat(fd_.get(), &status) != 0)
      throw base::Error(base::ErrorKind::failed, std::string("cannot be read: ") + std::strerror(errno),
                        {path, 0, 0, {}});
    if (!S_ISREG(status.st_mode)) throw refused("is no regular file");
  }

  void read(void* to, std::size_t size, std::uint64_t offset) const {
    auto* bytes = static_cast<char*>(to);
    while (size > 0) {
      if (offset > static_cast<std::uint64_t>(INT64_MAX)) throw refused("is damaged: it points outside itself");
      const ssize_t got = ::pread(fd_.get(), bytes, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw base::Error(base::ErrorKind::failed, std::string("cannot be read: ") + std::strerror(errno),
                          {path_, 0, 0, {}});
      if (got == 0) throw refused("is damaged: it ends too early");
      bytes += got;
      offset += static_cast<std::uint64_t>(got);
      size -= static_cast<std::size_t>(got);
    }
  }

  base::Error refused(const std::string& what, const std::string& hint = {}) const {
    return base::refused(what, {path_, 0, 0, {}}, hint);
  }

 private:
  std::string path_;
  base::UniqueFd fd_;
};

Elf64_Ehdr read_header(const File& file) {
  Elf64_Ehdr header;
  unsigned char magic[EI_NIDENT];
  file.read(magic, sizeof magic, 0);
  if (std::memcmp(magic, ELFMAG, SELFMAG) != 0) throw file.refused("is no ELF file");
  if (magic[EI_CLASS] != ELFCLASS64 || magic[EI_DATA] != ELFDATA2LSB)
    throw file.refused("is no 64-bit little-endian ELF file");
  file.read(&header, sizeof header, 0);
  if (header.e_type != ET_DYN) throw file.refused("is no shared object");
  if (header.e_machine != kMachine)
    throw file.refused("is built for another kind of processor (ELF machine " + std::to_string(header.e_machine) + ")");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kSegmentsMax)
    throw file.refused("is damaged: its segment table is wrong");
  return header;
}

constexpr const char* kNoManifest = "carries no godwit manifest";

// The manifest among the notes of one segment; without one, what is wrong with them goes to `trouble`.
std::optional<std::string> find_note(std::string_view notes, std::size_t alignment, std::string& trouble) {
  const auto padded = [alignment](std::uint64_t place) { return (place + alignment - 1) / alignment * alignment; };
  for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data() + at, sizeof note);
    const std::uint64_t name = at + sizeof note;
    const std::uint64_t text = padded(name + note.n_namesz);
    if (text + note.n_descsz > notes.size()) {
      trouble = "carries no whole godwit manifest: a note is longer than its segment";
      return std::nullopt;
    }
    if (notes.substr(name, note.n_namesz) == kNoteName && note.n_type == kNoteType)
      return std::string(notes.substr(text, note.n_descsz));
    at = padded(text + note.n_descsz);
  }
  return std::nullopt;
}

}  // namespace

std::string read_manifest_note(const std::string& path) {
  const File file(path);
  const Elf64_Ehdr header = read_header(file);
  std::string trouble = kNoManifest;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    file.read(&segment, sizeof segment, header.e_phoff + i * sizeof segment);
    if (segment.p_type != PT_NOTE) continue;
    if (segment.p_filesz > kNoteSegmentSizeMax) {
      trouble = "has notes of " + std::to_string(segment.p_filesz) + " bytes; with the manifest they may have 1 MiB";
      continue;
    }
    std::string notes(segment.p_filesz, '\0');
    file.read(notes.data(), notes.size(), segment.p_offset);
    if (auto manifest = find_note(notes, segment.p_align == 8 ? 8 : 4, trouble)) return *manifest;
  }
  throw file.refused(trouble, "build it with godwit_add_plugin(), which embeds plugin.json");
}

}  // namespace godwit::wire
