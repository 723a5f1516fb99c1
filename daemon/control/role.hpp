#pragma once
#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace godwit::control {

// What a client may do; each role may do what the ones before it may.
enum class Role { none, viewer, operator_, admin };

struct RoleInfo {
  Role role;
  std::string_view name;
  std::string_view meaning;
};
// In the order of the enumeration.
inline constexpr std::array kRoles{
    RoleInfo{Role::none, "none", "may do nothing"},
    RoleInfo{Role::viewer, "viewer", "may look at runs, jobs, plugins and limits"},
    RoleInfo{Role::operator_, "operator", "may also submit, cancel, pause, resume and retry runs"},
    RoleInfo{Role::admin, "admin", "may also set limits, reload and read the audit"},
};
inline std::string_view name(Role role) {
  return kRoles[static_cast<std::size_t>(role)].name;
}

// The names of the role and of those it includes.
std::vector<std::string> names_up_to(Role role);

// Who has a role: names, or numbers as text, of users and groups.
struct RoleMembers {
  std::vector<std::string> users;
  std::vector<std::string> groups;
};
struct RoleSettings {
  RoleMembers viewers;
  RoleMembers operators;
  RoleMembers admins;
};

// Maps users and groups to roles; who is not named has none. Root and the daemon's own user are admins, since nothing
// could be kept from them anyway. The uids 65534 (nobody: every user without a mapping) and -1 are refused whatever the
// settings say.
class RolePolicy {
 public:
  // Names are looked up once, here: a lookup may ask the network, and must not do so for each client.
  RolePolicy(const RoleSettings& settings, uid_t own_uid);

  Role role_of(uid_t uid, const std::vector<gid_t>& groups) const;
  // Names in the settings that this machine does not know.
  const std::vector<base::Error::Problem>& problems() const { return problems_; }

 private:
  struct Entry {
    Role role;
    std::vector<uid_t> users;
    std::vector<gid_t> groups;
  };
  void add(Role role, std::string_view setting, const RoleMembers& members);

  std::vector<Entry> entries_;  // the highest role first
  std::vector<base::Error::Problem> problems_;
  uid_t own_uid_;
};

// The user's name, or the number as text when it has none.
std::string user_name(uid_t uid);
std::optional<gid_t> find_group(const std::string& name_or_number);

}  // namespace godwit::control
