#include "artifact/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/digest.hpp"
#include "base/error.hpp"

namespace godwit::artifact {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kChunk = 256 * 1024;

base::Error failed(const std::string& what, const std::string& path) {
  return base::Error(base::ErrorKind::failed, what + ": " + std::strerror(errno), {path, 0, 0, {}});
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw failed("cannot make the directory", path);
}

base::UniqueFd unnamed_file(const std::string& directory) {
  base::UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) throw failed("cannot make a file in", directory);
  return fd;
}

}  // namespace

std::string name_of(const std::string& sha256) {
  return std::string(kPrefix) + sha256;
}

std::string sha256_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return {};
  name.remove_prefix(kPrefix.size());
  return is_sha256(name) ? std::string(name) : std::string();
}

// Writes a new file of the store, and learns its name from what is written.
class Files::Writer {
 public:
  explicit Writer(const Files& files) : files_(files), fd_(unnamed_file(files.directory_)) {}

  void write(std::string_view bytes) {
    size_ += bytes.size();
    if (size_ > files_.size_max_)
      throw base::refused("the file is larger than " + std::to_string(files_.size_max_) + " bytes");
    digest_.add(bytes);
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw failed("cannot write to", files_.directory_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  // Gives the file its name, durably.
  Stored finish() {
    Stored stored{digest_.take_hex(), size_};
    const std::string path = files_.path_of(stored.sha256);
    const std::string directory = std::filesystem::path(path).parent_path();
    make_directory(directory);
    ::fchmod(fd_.get(), 0400);
    if (::fsync(fd_.get()) != 0) throw failed("cannot write to", directory);
    const std::string source = "/proc/self/fd/" + std::to_string(fd_.get());
    // Somebody else may have stored the same content, which is as good.
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST)
      throw failed("cannot make", path);
    for (const std::string& parent : {directory, files_.directory_}) {
      const base::UniqueFd folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!folder || ::fsync(folder.get()) != 0) throw failed("cannot write to", parent);
    }
    return stored;
  }

 private:
  const Files& files_;
  base::UniqueFd fd_;
  base::Sha256 digest_;
  std::uint64_t size_ = 0;
};

Files::Files(std::string directory, std::uint64_t size_max) : directory_(std::move(directory)), size_max_(size_max) {}

base::UniqueFd Files::create() const {
  make_directory(directory_);
  return unnamed_file(directory_);
}

Stored Files::commit(int fd) const {
  make_directory(directory_);
  Writer writer(*this);
  std::vector<char> chunk(kChunk);
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failed("cannot read what was written", directory_);
    if (got == 0) return writer.finish();
    writer.write({chunk.data(), static_cast<std::size_t>(got)});
    offset += got;
  }
}

Stored Files::put(std::string_view bytes) const {
  make_directory(directory_);
  Writer writer(*this);
  writer.write(bytes);
  return writer.finish();
}

base::UniqueFd Files::open(const std::string& sha256) const {
  if (!is_sha256(sha256)) return {};
  base::UniqueFd fd(::open(path_of(sha256).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno != ENOENT) throw failed("cannot open", path_of(sha256));
  return fd;
}

std::string Files::read(const std::string& sha256) const {
  const base::UniqueFd fd = open(sha256);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    throw base::Error(base::ErrorKind::failed, "the artifact is missing", {path_of(sha256), 0, 0, {}},
                      "restore it from a backup of the state directory");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw failed("cannot read", path_of(sha256));
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::string Files::path_of(const std::string& sha256) const {
  return directory_ + "/" + sha256.substr(0, 2) + "/" + sha256;
}

}  // namespace godwit::artifact
