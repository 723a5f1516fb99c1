#include "host_pool/plugin_trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace godwit::host_pool {
namespace {

namespace fs = std::filesystem;

std::string distrust_one(const fs::path& path, bool is_last) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return path.string() + " cannot be looked at: " + std::strerror(errno);
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return path.string() + " belongs to user " + std::to_string(status.st_uid) +
           ", who is neither root nor the daemon's user";
  if (S_ISLNK(status.st_mode)) return {};
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (sticky && !is_last)) return {};
  return path.string() + " can be changed by " + ((status.st_mode & S_IWOTH) != 0 ? "everybody" : "its group") +
         "; `chmod go-w` it";
}

std::string distrust_chain(const fs::path& path) {
  fs::path here;
  for (auto part = path.begin(); part != path.end(); ++part) {
    here /= *part;
    if (std::string why = distrust_one(here, std::next(part) == path.end()); !why.empty()) return why;
  }
  return {};
}

}  // namespace

std::string distrust(const std::string& path) {
  if (std::string why = distrust_chain(path); !why.empty()) return why;
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return path + " leads nowhere: " + error.message();
  return real == path ? std::string() : distrust_chain(real);
}

}  // namespace godwit::host_pool
