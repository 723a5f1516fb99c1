#pragma once
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace godwit::model {

// Paths with all that is below them; what a plugin's process needs to load the plugin is granted anyway.
struct FileGrants {
  std::vector<std::string> read;
  std::vector<std::string> write;  // may be read as well

  BOOST_DESCRIBE_CLASS(FileGrants, (), (read, write), (), ())
};

struct NetworkGrants {
  bool any = false;                    // every kind of socket that Linux lets an ordinary program have
  std::vector<std::string> hosts;      // through the daemon: "api.example.com", "*.example.com:8443"
  std::vector<std::uint16_t> connect;  // TCP ports the process itself may connect to
  std::vector<std::uint16_t> listen;   // TCP ports it may serve
  bool udp = false;
  bool unix_sockets = false;      // with a path in the file system
  bool abstract_sockets = false;  // Unix sockets with a name instead of a path; only together with unix_sockets

  // Whether the process may have a TCP socket of its own at all.
  bool tcp() const { return any || !connect.empty() || !listen.empty(); }

  BOOST_DESCRIBE_CLASS(NetworkGrants, (), (any, hosts, connect, listen, udp, unix_sockets, abstract_sockets), (), ())
};

// How much of the kernel a process sees. `script` is the least that an interpreter can work with: no file, no socket,
// no process, whatever the other grants say.
BOOST_DEFINE_ENUM_CLASS(SandboxProfile, plugin, script)

// What a plugin may do beside computing. The operator decides, process/sandbox.hpp enforces.
struct Grants {
  SandboxProfile profile = SandboxProfile::plugin;
  FileGrants files;
  NetworkGrants network;
  std::vector<std::string> secrets;  // their names
  bool exec = false;                 // start programs
  std::uint64_t memory = 1u << 30;   // bytes
  std::uint32_t processes = 0;       // beside its own
  std::uint32_t cpu_seconds = 0;     // of one process in all its life; 0: no limit
  std::uint32_t open_files = 1024;
  std::uint64_t file_size = 0;  // bytes of a file that it fills for an artifact; 0: no limit

  BOOST_DESCRIBE_CLASS(Grants, (),
                       (profile, files, network, secrets, exec, memory, processes, cpu_seconds, open_files, file_size),
                       (), ())
};

}  // namespace godwit::model
