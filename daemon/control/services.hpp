#pragma once
#include <functional>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "engine/cluster.hpp"
#include "engine/engine.hpp"
#include "engine/history.hpp"
#include "jobfile/library.hpp"

namespace godwit::control {

// What the commands work with. Everything must outlive the server and is used on its loop's thread. The functions stand
// for what this floor may not include.
struct Services {
  engine::Engine& engine;
  engine::Store& store;
  engine::History& history;
  jobfile::Library& library;
  std::function<base::json::array()> list_plugins;                           // one object for each
  std::function<base::json::object(const std::string& plugin)> show_plugin;  // throws Error(not_found)
  std::function<base::json::object()> hosts_status;
  std::function<base::json::object()> control_status;
  std::function<base::json::object()>
      reload;  // reads settings' job folders again; gives what changed and what is wrong
  std::string version;
  base::Tick started = base::tick();
  // A job's text can name any plugin and so any command a plugin runs; operators submit what stands in the job folders
  // unless this is set.
  bool operators_submit_files = false;
  // Gives whether it was stopped; throws Error(not_found).
  std::function<bool(const std::string& plugin)> reset_plugin;
  engine::Cluster* cluster = nullptr;                           // of the nodes that share the store; null when none can
  // Up to 1 MiB of a file of this node from `offset` on: {"size","base64"}; nothing when there is none. Throws
  // Error(refused) for what is no name of an artifact.
  std::function<std::optional<base::json::object>(const std::string& artifact, std::uint64_t offset)> read_artifact;
  std::size_t submit_max = 4u << 20;  // bytes of the parameters of one submit, as JSON text
};

// Throws Error(unavailable) while the database is away: what only the store knows cannot be told then, and waiting for
// it in silence helps nobody.
void require_store(const Services& services);

}  // namespace godwit::control
