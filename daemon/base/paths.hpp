#pragma once
#include <string>

namespace godwit::base {

// What of the process's surroundings decides where files stand by default. Read once by read_surroundings(); tests fill
// it by hand.
struct Surroundings {
  bool root = false;
  std::string home;
  std::string xdg_state_home;
  std::string xdg_runtime_dir;
  std::string xdg_config_home;
  // The directories that systemd made for its service, which win over all others.
  std::string state_directory;
  std::string runtime_directory;
  std::string configuration_directory;
  std::string host_name;
  std::string program;  // absolute path of the running executable
};
Surroundings read_surroundings();

// A program that goes with this one: beside it (a build), or in libexec/godwit (an installation). The path beside when
// there is none.
std::string companion_program(const Surroundings& surroundings, const std::string& name);
// Where the daemon keeps its state, where it listens, and which settings file it reads when nobody says otherwise.
std::string default_state_dir(const Surroundings& surroundings);
std::string default_socket(const Surroundings& surroundings, const std::string& state_dir);
std::string default_config_file(const Surroundings& surroundings);

}  // namespace godwit::base
