// godwit-host PLUGIN.so [GRANTS]: runs one plugin for godwitd, which starts it with a socket as descriptor 3. GRANTS,
// in JSON, is what the process confines itself to before it loads anything. godwit-host --scripts runs Lua jobs,
// confined to nothing at all. Not meant to be started by hand.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "base/json.hpp"
#include "host/script_server.hpp"
#include "host/server.hpp"
#include "process/sandbox.hpp"

#ifdef __SANITIZE_ADDRESS__
// The sandbox forbids what the search for leaks needs at the end of a process. [the sanitizer's hook]
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() {
  return 1;
}
#endif

namespace {

// Out of the way of the plugin: what it does with small numbers cannot hit the protocol, and its own children do not
// inherit it.
godwit::base::UniqueFd take_protocol_socket() {
  struct stat status {};
  if (fstat(godwit::wire::kHostProtocolFd, &status) != 0 || !S_ISSOCK(status.st_mode)) return {};
  godwit::base::UniqueFd high(::fcntl(godwit::wire::kHostProtocolFd, F_DUPFD_CLOEXEC, 512));
  if (!high) high = godwit::base::UniqueFd(::fcntl(godwit::wire::kHostProtocolFd, F_DUPFD_CLOEXEC, 16));
  ::close(godwit::wire::kHostProtocolFd);
  return high;
}

godwit::process::SandboxReport confine(const std::string& plugin, const std::string& grants) {
  const auto granted = boost::json::value_to<godwit::model::Grants>(godwit::base::parse_json(grants));
  return godwit::process::confine(granted, {plugin, std::filesystem::path(plugin).parent_path().string()});
}

}  // namespace

int main(int count, char** arguments) {
  const bool scripts = count == 2 && std::string_view(arguments[1]) == "--scripts";
  if (!scripts && (count < 2 || count > 3 || arguments[1][0] != '/')) {
    std::fputs("usage: godwit-host /absolute/path/to/plugin.so [GRANTS], or --scripts (godwitd starts it)\n", stderr);
    return 2;
  }
  godwit::base::UniqueFd socket = take_protocol_socket();
  if (!socket) {
    std::fputs("godwit-host: descriptor 3 is no socket; godwitd starts this program, people do not\n", stderr);
    return 2;
  }
  // A file that may not grow, and a pipe that nobody reads any more, are errors to tell, not an end.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  // What a plugin prints shall be seen line by line, not when a buffer is full.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  godwit::process::SandboxReport sandbox;
  try {
    if (scripts) {
      godwit::model::Grants grants;
      grants.profile = godwit::model::SandboxProfile::script;
      grants.memory = 8ull << 30;
      godwit::process::confine(grants, {});
    }
    if (count == 3) sandbox = confine(arguments[1], arguments[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwit-host: the grants cannot be read: %s\n", error.what());
    return 2;
  }
  if (scripts) (new godwit::host::ScriptServer(std::move(socket)))->serve();
  // Never destroyed: the I/O thread uses it until the process ends.
  auto* server = new godwit::host::Server(arguments[1], std::move(socket), std::move(sandbox));
  const int code = server->serve();
  std::fflush(nullptr);
  ::_exit(code);
}
