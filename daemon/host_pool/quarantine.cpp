#include "host_pool/quarantine.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"

namespace godwit::host_pool {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;

constexpr std::string_view kSuffix = ".json";

fs::path path_of(const std::string& directory, const std::string& sha256) {
  return fs::path(directory) / (sha256 + std::string(kSuffix));
}

base::Error failed(const fs::path& path) {
  return base::Error(base::ErrorKind::failed, std::string("cannot be written: ") + std::strerror(errno),
                     {path.string(), 0, 0, {}});
}

// Whole or not at all, whenever the machine goes down.
void write_file(const fs::path& path, const std::string& text) {
  const std::string fresh = path.string() + ".new";
  const base::UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0)
    throw failed(path);
  const base::UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) throw failed(path);
}

std::optional<Quarantine::Entry> read_file(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const json::object entry = base::parse_json(text).as_object();
  const auto member = [&](const char* name) { return std::string(entry.at(name).as_string()); };
  return Quarantine::Entry{member("plugin"), member("sha256"), member("cause"), entry.at("report")};
}

std::optional<Quarantine::Entry> try_read(const fs::path& path) {
  try {
    return read_file(path);
  } catch (const std::exception& error) {
    base::log::warning("{} says nothing of a plugin in quarantine: {}", path.string(), error.what());
    return std::nullopt;
  }
}

}  // namespace

void Quarantine::add(const Entry& entry) const {
  if (directory_.empty()) return;
  try {
    fs::create_directory(directory_);
    write_file(path_of(directory_, entry.sha256),
               base::serialize(json::object{{"plugin", entry.plugin},
                                            {"sha256", entry.sha256},
                                            {"cause", entry.cause},
                                            {"report", entry.report}}));
  } catch (const std::exception& error) {
    base::log::warning("the quarantine of {} will not outlive godwitd: {}", entry.plugin, error.what());
  }
}

std::optional<Quarantine::Entry> Quarantine::find(const std::string& plugin, const std::string& sha256) const {
  if (directory_.empty()) return std::nullopt;
  auto entry = try_read(path_of(directory_, sha256));
  return entry && entry->plugin == plugin ? std::move(entry) : std::nullopt;
}

bool Quarantine::remove(const std::string& plugin) const {
  if (directory_.empty()) return false;
  bool was_there = false;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(directory_, error)) {
    if (file.path().extension() != kSuffix) continue;
    const auto entry = try_read(file.path());
    if (!entry || entry->plugin != plugin) continue;
    was_there = true;
    if (!fs::remove(file.path(), error) && error)
      base::log::warning("{} cannot be removed, so {} will be in quarantine again after a restart: {}",
                         file.path().string(), plugin, error.message());
  }
  return was_there;
}

}  // namespace godwit::host_pool
