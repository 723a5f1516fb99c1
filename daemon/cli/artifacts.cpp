#include "cli/artifacts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/base64.hpp"
#include "base/unique_fd.hpp"
#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace godwit::cli {
namespace {

namespace json = base::json;

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      throw base::Error(base::ErrorKind::failed, std::string("cannot write: ") + std::strerror(errno),
                        {path, 0, 0, {}});
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

base::UniqueFd output_file(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd)
    throw base::Error(base::ErrorKind::failed, std::string("cannot be written: ") + std::strerror(errno),
                      {path, 0, 0, {}});
  return fd;
}

}  // namespace

int artifact_list(Session& session) {
  json::object request;
  if (const auto run = session.line.number("run", 1)) request["run"] = *run;
  if (const auto limit = session.line.number("limit", 1)) request["limit"] = *limit;
  const auto answer = session.call("artifact.list", std::move(request));
  if (session.json) {
    session.print_json(answer);
  } else if (session.quiet) {
    for (const auto& row : answer.as_array()) session.print(text_of(row.as_object(), "artifact") + "\n");
  } else {
    const std::string text = table_of(answer.as_array(), session.width);
    session.print(text.empty() ? "There are no artifacts.\n" : text);
  }
  return 0;
}

void read_artifact(Session& session, const std::string& name, const std::function<void(std::string_view)>& piece) {
  std::uint64_t offset = 0;
  while (true) {
    const auto answer = session.call("artifact.read", {{"artifact", name}, {"offset", offset}});
    const auto bytes = base::from_base64(answer.at("base64").as_string());
    if (!bytes) throw base::Error(base::ErrorKind::internal, "the daemon's answer is no base64");
    piece(*bytes);
    offset += bytes->size();
    if (bytes->empty() || offset >= answer.at("size").to_number<std::uint64_t>()) return;
  }
}

int artifact_get(Session& session) {
  const bool to_file = session.line.has("output");
  const std::string path = to_file ? session.line.text("output") : "standard output";
  base::UniqueFd file;
  read_artifact(session, session.line.text("ARTIFACT"), [&](std::string_view piece) {
    // The file is made when it is known that there is something to put into it.
    if (to_file && !file) file = output_file(path);
    write_all(to_file ? file.get() : STDOUT_FILENO, piece, path);
  });
  return 0;
}

}  // namespace godwit::cli
