#include "base/paths.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>

namespace godwit::base {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// systemd separates several by colons.
std::string first_directory(const char* name) {
  const std::string all = environment(name);
  return all.substr(0, all.find(':'));
}

// The XDG rules say that a relative path in one of their variables is to be ignored.
std::string absolute_or(const std::string& path, const std::string& otherwise) {
  return !path.empty() && path.front() == '/' ? path : otherwise;
}

}  // namespace

Surroundings read_surroundings() {
  Surroundings result;
  result.root = ::geteuid() == 0;
  result.home = environment("HOME");
  result.xdg_state_home = environment("XDG_STATE_HOME");
  result.xdg_runtime_dir = environment("XDG_RUNTIME_DIR");
  result.xdg_config_home = environment("XDG_CONFIG_HOME");
  result.state_directory = first_directory("STATE_DIRECTORY");
  result.runtime_directory = first_directory("RUNTIME_DIRECTORY");
  result.configuration_directory = first_directory("CONFIGURATION_DIRECTORY");
  std::array<char, HOST_NAME_MAX + 1> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) result.host_name = host.data();
  if (result.host_name.empty()) result.host_name = "localhost";
  std::array<char, PATH_MAX> program{};
  const ssize_t length = ::readlink("/proc/self/exe", program.data(), program.size());
  if (length > 0) result.program.assign(program.data(), static_cast<std::size_t>(length));
  return result;
}

std::string companion_program(const Surroundings& surroundings, const std::string& name) {
  const std::filesystem::path bin = std::filesystem::path(surroundings.program).parent_path();
  const std::string beside = bin / name;
  const std::string installed = bin.parent_path() / "libexec/godwit" / name;
  return ::access(beside.c_str(), R_OK) != 0 && ::access(installed.c_str(), R_OK) == 0 ? installed : beside;
}

std::string default_state_dir(const Surroundings& surroundings) {
  if (!surroundings.state_directory.empty()) return surroundings.state_directory;
  if (surroundings.root) return "/var/lib/godwit";
  return absolute_or(surroundings.xdg_state_home, surroundings.home + "/.local/state") + "/godwit";
}

std::string default_socket(const Surroundings& surroundings, const std::string& state_dir) {
  if (!surroundings.runtime_directory.empty()) return surroundings.runtime_directory + "/control.sock";
  if (surroundings.root) return "/run/godwit/control.sock";
  const std::string runtime = absolute_or(surroundings.xdg_runtime_dir, "");
  return runtime.empty() ? state_dir + "/control.sock" : runtime + "/godwit/control.sock";
}

std::string default_config_file(const Surroundings& surroundings) {
  if (!surroundings.configuration_directory.empty()) return surroundings.configuration_directory + "/godwit.yaml";
  if (surroundings.root) return "/etc/godwit/godwit.yaml";
  return absolute_or(surroundings.xdg_config_home, surroundings.home + "/.config") + "/godwit/godwit.yaml";
}

}  // namespace godwit::base
