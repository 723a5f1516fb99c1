#include <cstdio>
#include <exception>

#include "app/daemon.hpp"
#include "app/state_directory.hpp"
#include "base/paths.hpp"
#include "config/settings.hpp"

// What jemalloc reads at its start: two threads do nearly all of the work with the heap, the engine's and the journal's, and
// each further arena would keep what was freed in it.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2";
}

// godwitd: reads the settings, makes the parts, serves. Exit codes are those of base::ErrorKind; 0 after an orderly
// end.
int main(int argc, char** argv) {
  using namespace godwit;
  try {
    const auto line = config::read_settings({argv + 1, argv + argc}, base::read_surroundings());
    switch (line.request) {
      case config::Request::help:
        std::fputs(config::settings_help().c_str(), stdout);
        return 0;
      case config::Request::version:
        std::puts("godwitd " GODWIT_VERSION);
        return 0;
      case config::Request::print_config:
        std::fputs(config::settings_file().c_str(), stdout);
        return 0;
      case config::Request::start:
        break;
    }
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
