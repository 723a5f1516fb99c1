#include "artifact/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
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
constexpr std::uint64_t kSpaceLeft = 512u << 20;

base::Error failed(const std::string& what, const std::string& path) {
  return base::Error(base::ErrorKind::failed, what + ": " + std::strerror(errno), {path, 0, 0, {}});
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw failed("cannot make the directory", path);
}

// A disk that is full stops the database, and so all jobs.
void check_space(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) throw failed("cannot look at the disk of", directory);
  if (std::uint64_t{status.f_bavail} * status.f_frsize < kSpaceLeft)
    throw base::Error(base::ErrorKind::failed, "less than 512 MiB of disk are left, which artifacts may not take",
                      {directory, 0, 0, {}}, "make room, or let runs be deleted earlier (`retain`)");
}

base::UniqueFd unnamed_file(const std::string& directory) {
  check_space(directory);
  base::UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) throw failed("cannot make a file in", directory);
  return fd;
}

void write_all(int fd, std::string_view bytes, const std::string& directory) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw failed("cannot write to", directory);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Since when nobody has stored it: a file's time is set anew each time.
bool is_idle(const std::string& path, base::Duration since) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  const auto stored = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return base::now().time_since_epoch() - stored > since;
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

// Held while a file gets its name or loses it, by whatever thread or process.
class Files::Lock {
 public:
  Lock(const std::string& directory, int how) : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (!fd_ || ::flock(fd_.get(), how) != 0)
      if (!fd_ || errno != EINTR) throw failed("cannot lock", directory);
  }

 private:
  base::UniqueFd fd_;
};

// Writes a new file of the store, and learns its name from what is written.
class Files::Writer {
 public:
  explicit Writer(const Files& files) : files_(files), fd_(unnamed_file(files.directory_)) {}

  void write(std::string_view bytes) {
    check_space(files_.directory_);
    size_ += bytes.size();
    if (size_ > files_.size_max_)
      throw base::refused("the file is larger than " + std::to_string(files_.size_max_) + " bytes");
    digest_.add(bytes);
    write_all(fd_.get(), bytes, files_.directory_);
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
    {
      const Lock lock(files_.directory_, LOCK_SH);
      // Somebody else may have stored the same content, which is as good, when it is told to be wanted again.
      if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
          (errno != EEXIST || ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0))
        throw failed("cannot make", path);
    }
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

base::UniqueFd Files::copy(std::string_view bytes) const {
  const base::UniqueFd file = create();
  write_all(file.get(), bytes, directory_);
  base::UniqueFd reader(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) throw failed("cannot open a file again in", directory_);
  return reader;
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

base::UniqueFd Files::open(const std::string& sha256) const {
  if (!is_sha256(sha256)) return {};
  base::UniqueFd fd(::open(path_of(sha256).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno != ENOENT) throw failed("cannot open", path_of(sha256));
  return fd;
}

bool Files::claim(const std::string& owner) const {
  if (::access(directory_.c_str(), F_OK) != 0) return true;
  const std::string path = directory_ + "/owner";
  base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  std::string text(owner.size() + 1, '\0');
  const ssize_t got = file ? ::pread(file.get(), text.data(), text.size(), 0) : -1;
  if (got < 0) throw failed("cannot read", path);
  text.resize(static_cast<std::size_t>(got));
  if (!text.empty()) return text == owner;
  if (::pwrite(file.get(), owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size()) ||
      ::fsync(file.get()) != 0)
    throw failed("cannot write to", path);
  return true;
}

std::vector<std::string> Files::idle(base::Duration since) const {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(directory_, error)) {
    if (!folder.is_directory(error)) continue;
    for (const auto& file : std::filesystem::directory_iterator(folder.path(), error)) {
      std::string name = file.path().filename();
      if (is_sha256(name) && is_idle(file.path(), since)) found.push_back(std::move(name));
    }
  }
  return found;
}

bool Files::remove(const std::string& sha256, base::Duration idle_since) const {
  if (!is_sha256(sha256)) return false;
  const Lock lock(directory_, LOCK_EX);
  const std::string path = path_of(sha256);
  if (!is_idle(path, idle_since)) return false;
  if (::unlink(path.c_str()) != 0) throw failed("cannot remove", path);
  return true;
}

std::string Files::path_of(const std::string& sha256) const {
  return directory_ + "/" + sha256.substr(0, 2) + "/" + sha256;
}

}  // namespace godwit::artifact
