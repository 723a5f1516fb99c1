#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace godwit::support {

// A network namespace. It has no name outside this program, so the kernel takes it away, wires and all, when the program
// and what it started there have ended, however that came.
class NetworkSpace {
 public:
  // Throws std::system_error where the kernel does not let us.
  NetworkSpace();

  // What this thread starts while the visit lasts lives in the namespace.
  class Visit {
   public:
    explicit Visit(const NetworkSpace& space);
    ~Visit();
    Visit(const Visit&) = delete;

   private:
    base::UniqueFd home_;
  };
  // How `ip` is told of it.
  std::string path() const;

 private:
  base::UniqueFd fd_;
};

// Places in network namespaces of their own, each on a wire to a hub, as machines are. A wire that is cut tells nobody.
class Network {
 public:
  // Why there can be none here; empty when there can.
  static std::string obstacle();

  explicit Network(int places);

  const NetworkSpace& hub() const { return hub_; }
  const NetworkSpace& place(int number) const { return places_.at(static_cast<std::size_t>(number)); }
  // The hub's address on the wire to a place.
  std::string hub_address(int place) const { return address(place, 1); }
  std::string hub_addresses() const;
  std::string range() const { return "198.18.0.0/16"; }

  // Nothing gets through, or only what goes to the hub: what is asked is done, and its answer lost.
  enum class Cut { both_ways, answers };
  void cut(int place, Cut how) const;
  void mend(int place) const;

 private:
  // Of the block for tests of networks (RFC 2544), which is routed nowhere.
  static std::string address(int place, int end) {
    return "198.18." + std::to_string(place) + "." + std::to_string(end);
  }
  static std::string wire(int place) { return "wire" + std::to_string(place); }
  void lay_wire(int place) const;
  static void ip(const NetworkSpace& where, const std::string& arguments);

  NetworkSpace hub_;
  std::vector<NetworkSpace> places_;
};

}  // namespace godwit::support
