#include "control/role.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>

namespace godwit::control {
namespace {

constexpr uid_t kOverflowUid = 65534;
constexpr std::size_t kEntryTextMax =
    1u << 20;  // of one passwd or group entry; a group of all of a university's users is long

template <typename Id>
std::optional<Id> parse_id(const std::string& text) {
  Id id{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

// Calls one of the get..._r functions with a buffer that grows until the entry fits; nullptr when there is no entry.
template <typename Entry, typename Get>
const Entry* look_up(Entry& entry, std::vector<char>& buffer, Get get) {
  buffer.resize(4096);
  Entry* found = nullptr;
  int error = 0;
  while ((error = get(&entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < kEntryTextMax) {
    buffer.resize(buffer.size() * 4);
  }
  return error == 0 ? found : nullptr;
}

std::optional<uid_t> find_user(const std::string& name_or_number) {
  if (const auto uid = parse_id<uid_t>(name_or_number)) return uid;
  passwd entry{};
  std::vector<char> buffer;
  const auto* found = look_up(entry, buffer, [&](passwd* into, char* text, std::size_t size, passwd** result) {
    return getpwnam_r(name_or_number.c_str(), into, text, size, result);
  });
  return found ? std::optional(found->pw_uid) : std::nullopt;
}

}  // namespace

std::vector<std::string> names_up_to(Role role) {
  std::vector<std::string> names;
  for (const auto& info : kRoles)
    if (info.role != Role::none && info.role <= role) names.emplace_back(info.name);
  return names;
}

std::optional<gid_t> find_group(const std::string& name_or_number) {
  if (const auto gid = parse_id<gid_t>(name_or_number)) return gid;
  group entry{};
  std::vector<char> buffer;
  const auto* found = look_up(entry, buffer, [&](group* into, char* text, std::size_t size, group** result) {
    return getgrnam_r(name_or_number.c_str(), into, text, size, result);
  });
  return found ? std::optional(found->gr_gid) : std::nullopt;
}

std::string user_name(uid_t uid) {
  passwd entry{};
  std::vector<char> buffer;
  const auto* found = look_up(entry, buffer, [&](passwd* into, char* text, std::size_t size, passwd** result) {
    return getpwuid_r(uid, into, text, size, result);
  });
  return found ? found->pw_name : std::to_string(uid);
}

RolePolicy::RolePolicy(const RoleSettings& settings, uid_t own_uid) : own_uid_(own_uid) {
  add(Role::admin, "admins", settings.admins);
  add(Role::operator_, "operators", settings.operators);
  add(Role::viewer, "viewers", settings.viewers);
}

void RolePolicy::add(Role role, std::string_view setting, const RoleMembers& members) {
  Entry entry{role, {}, {}};
  const auto missing = [&](std::string_view what, const std::string& name) {
    problems_.push_back({"there is no " + std::string(what) + " '" + name + "' on this machine",
                         {"", 0, 0, std::string(setting)},
                         "nobody gets the role by that name until it exists and the daemon has been started again"});
  };
  for (const auto& user : members.users) {
    if (const auto uid = find_user(user)) {
      entry.users.push_back(*uid);
    } else {
      missing("user", user);
    }
  }
  for (const auto& group : members.groups) {
    if (const auto gid = find_group(group)) {
      entry.groups.push_back(*gid);
    } else {
      missing("group", group);
    }
  }
  entries_.push_back(std::move(entry));
}

Role RolePolicy::role_of(uid_t uid, const std::vector<gid_t>& groups) const {
  if (uid == kOverflowUid || uid == static_cast<uid_t>(-1)) return Role::none;
  if (uid == 0 || uid == own_uid_) return Role::admin;
  for (const auto& entry : entries_) {
    if (std::find(entry.users.begin(), entry.users.end(), uid) != entry.users.end()) return entry.role;
    if (std::find_first_of(groups.begin(), groups.end(), entry.groups.begin(), entry.groups.end()) != groups.end())
      return entry.role;
  }
  return Role::none;
}

}  // namespace godwit::control
