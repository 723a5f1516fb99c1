#include <csignal>
#include <cstdio>
#include <exception>

#include "app/daemon.hpp"
#include "app/state_directory.hpp"
#include "base/paths.hpp"
#include "base/standard_streams.hpp"
#include "config/settings.hpp"

// What jemalloc reads at its start: two threads do nearly all of the work with the heap, the engine's and the journal's, and
// each further arena would keep what was freed in it.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2";
}

namespace {

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  godwit::base::require_printed();
  return 0;
}

}  // namespace

// godwitd: reads the settings, makes the parts, serves. Exit codes are those of base::ErrorKind; 0 after an orderly
// end.
int main(int argc, char** argv) {
  using namespace godwit;
  base::open_closed_descriptors();
  try {
    const auto line = config::read_settings({argv + 1, argv + argc}, base::read_surroundings());
    switch (line.request) {
      case config::Request::help:
        return print(config::settings_help());
      case config::Request::version:
        return print("godwitd " GODWIT_VERSION "\n");
      case config::Request::print_config:
        return print(config::settings_file());
      case config::Request::start:
        break;
    }
    // Whoever reads the log through a pipe may end before the daemon, whose runs go on.
    std::signal(SIGPIPE, SIG_IGN);
    base::log::start(line.settings.log_level);
    const app::StateDirectory state(line.settings.state_dir);
    app::SupervisorLink supervisor;
    for (bool anew = false;; anew = true) {
      app::Daemon daemon(line.settings, supervisor, anew);
      const int code = daemon.run();
      if (!daemon.begins_anew()) return code;
    }
  } catch (const base::Error& error) {
    std::fprintf(stderr, "godwitd: %s\n", error.what());
    return base::info(error.kind()).exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "godwitd: %s\n", error.what());
    return 1;
  }
}
