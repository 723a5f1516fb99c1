#include "cli/parameters.hpp"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.hpp"
#include "base/utf8.hpp"
#include "model/script_bundle.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

std::string size_text(std::size_t bytes) {
  return bytes % (1u << 20) == 0 ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes) + " bytes";
}

base::UniqueFd open_file(const std::string& path, std::size_t limit) {
  const base::Place place{path, 0, 0, {}};
  base::UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && errno == ENOENT) throw base::Error(base::ErrorKind::not_found, "there is no such file", place);
  if (!fd)
    throw base::Error(errno == EACCES ? base::ErrorKind::denied : base::ErrorKind::refused, std::strerror(errno),
                      place);
  struct stat status {};
  ::fstat(fd.get(), &status);
  if (S_ISDIR(status.st_mode)) throw base::refused("this is a folder, not a file", place);
  if (S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) > limit) {
    throw base::refused(
        "the file has " + std::to_string(status.st_size) + " bytes; at most " + size_text(limit) + " are taken", place);
  }
  if (path != "-") ::fcntl(fd.get(), F_SETFL, O_RDONLY);  // a pipe is waited for; only opening must not hang
  return fd;
}

}  // namespace

json::value value_of(std::string_view text) {
  std::string without_line_feed(text);
  while (without_line_feed.ends_with('\n')) without_line_feed.pop_back();
  if (base::is_json(without_line_feed)) return base::parse_json(without_line_feed);
  return json::value(json::string(text.data(), text.size()));
}

std::string read_text(const std::string& path, std::size_t limit) {
  const auto fd = open_file(path, limit);
  base::Place place{path, 0, 0, {}};
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(before + (64u << 10));
    const ssize_t size = ::read(fd.get(), text.data() + before, text.size() - before);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw base::refused(std::string("cannot be read: ") + std::strerror(errno), place);
    if (text.size() > limit) throw base::refused("the file is longer than " + size_text(limit), place);
    if (size == 0) break;
  }
  // The control protocol carries text only, so what is no text is told here.
  if (const auto fault = base::find_text_fault(text)) {
    const std::string_view before = std::string_view(text).substr(0, fault->offset);
    const auto line_start = before.rfind('\n');
    place.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
    place.column = 1 + static_cast<int>(before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1));
    throw base::refused(fault->what, place, "job files and parameters are UTF-8 text");
  }
  return text;
}

void set_parameter(json::object& params, std::string_view assignment) {
  const auto equals = assignment.find('=');
  const auto usage = [&](const std::string& what) {
    return base::Error(base::ErrorKind::usage, "-p " + std::string(assignment) + ": " + what, {},
                       "write -p NAME=VALUE, -p NAME.MEMBER=VALUE or -p NAME=@FILE");
  };
  if (!base::is_utf8(assignment)) throw base::Error(base::ErrorKind::usage, "a parameter is not UTF-8 text");
  if (equals == std::string_view::npos || equals == 0) throw usage("this gives no parameter a value");
  std::string_view name = assignment.substr(0, equals);
  const std::string_view text = assignment.substr(equals + 1);
  json::object* object = &params;
  for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    const auto part = name.substr(0, dot);
    if (part.empty()) throw usage("a name between dots is empty");
    auto& inner = (*object)[part];
    if (inner.is_null()) inner = json::object();
    if (!inner.is_object()) throw usage("'" + std::string(part) + "' is no object");
    object = &inner.get_object();
    name.remove_prefix(dot + 1);
  }
  if (name.empty()) throw usage("a name between dots is empty");
  if (text.starts_with('@')) {
    (*object)[name] = value_of(read_text(std::string(text.substr(1)), kParametersMax));
  } else {
    (*object)[name] = value_of(text);
  }
}

std::string read_job_text(const std::string& path) {
  std::string text = read_text(path, kJobFileMax);
  if (!model::is_script_name(path)) return text;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return model::collect_script(path, std::move(text),
                               [&](const std::string& module) -> std::optional<std::string> {
                                 const auto file = folder / module;
                                 std::error_code error;
                                 if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
                                 return read_text(file.string(), kJobFileMax);
                               })
      .to_text();
}

bool names_file(std::string_view word) {
  return word == "-" || word.find('/') != std::string_view::npos || word.ends_with(".yaml") || word.ends_with(".yml") ||
         model::is_script_name(word);
}

}  // namespace godwit::cli
