#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/json.hpp"
#include "engine/step_runner.hpp"
#include "host_pool/extension_calls.hpp"
#include "host_pool/host.hpp"
#include "host_pool/plugin_catalog.hpp"

namespace godwit::host_pool {

// Runs steps in host processes: one process for each version of a plugin, started with its first call. Destruction
// kills all processes and tells no listener.
class HostPool : public engine::StepRunner, private Host::Owner {
 public:
  // `catalog` must outlive the pool. Everything happens on the thread that runs `context`.
  HostPool(boost::asio::io_context& context, const PluginCatalog& catalog, HostSettings settings);
  ~HostPool() override;

  std::shared_ptr<const engine::Callable> resolve(const std::string& uses) const override {
    return catalog_.resolve(uses);
  }
  std::shared_ptr<const engine::Callable> resolve_version(const std::string& uses,
                                                          const std::string& version) const override {
    return catalog_.resolve_version(uses, version);
  }
  Installed installed() const override { return catalog_.installed(); }
  // `callable` came from resolve() or resolve_version().
  std::uint64_t start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                      engine::StepListener& listener) override;
  void cancel(std::uint64_t number) override;
  void cut(std::function<void()> done) override;

  // After the catalog was reloaded: new calls go to the current versions, running calls end where they are.
  void catalog_changed();
  // Lets a plugin start again that was stopped for its crashes. Throws Error(not_found).
  bool reset(const std::string& plugin);

  // For an orderly end of the daemon: calls that wait for a free place end as cancelled, those in flight have `grace`
  // to end, then the processes are killed. `done` comes when no process is left.
  void stop(base::Duration grace, std::function<void()> done);
  // One entry for each host that was ever started, and for each current version that is in quarantine.
  base::json::array status() const;
  // Host::status()'s `state` of a version of a plugin, by the SHA-256 of its file; "idle" when it was never started.
  std::string state(const std::string& plugin, const std::string& sha256) const;
  // What the plugin may do, and how its process is confined and does; {} for one that is not installed.
  base::json::object describe(const std::string& plugin) const;

 private:
  void on_finished(Call& call, engine::StepOutcome outcome) override;
  bool on_extension(Call& call, const wire::Frame& frame) override { return extensions_.on_frame(call, frame); }
  void on_invoke(Call& call, std::uint32_t question, std::string name, std::string args, std::string suffix) override;

  Host& host_of(const std::shared_ptr<const Plugin>& plugin);
  Host& host_of(const engine::Callable& callable) {
    return host_of(static_cast<const PluginCallable&>(callable).owner);
  }
  bool is_current(const Plugin& plugin) const;
  Call& new_call(std::shared_ptr<const engine::Callable> callable, engine::StepCall step);
  void start_nested(Call& caller, Host& target, std::uint32_t question,
                    std::shared_ptr<const engine::Callable> callable, std::string args, std::string suffix);
  // Whether a call in flight can end although `asking` is about to wait.
  bool can_end(const Call& call, const Call& asking, int depth) const;
  bool can_make_room(const Host& host, const Call& asking, int depth) const;
  void check_stopped(base::Tick kill_at);
  void check_cut(std::function<void()> done);

  boost::asio::io_context& context_;
  const PluginCatalog& catalog_;
  HostSettings settings_;
  Quarantine quarantine_;
  ExtensionCalls extensions_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Host>> hosts_;  // by plugin id and SHA-256 of its file
  std::unordered_map<std::uint64_t, std::unique_ptr<Call>> calls_;
  std::uint64_t last_number_ = 0;
  std::function<void()> on_stopped_;
  boost::asio::steady_timer stop_timer_;
  boost::asio::steady_timer cut_timer_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // lets posted functions see that the pool is gone
};

}  // namespace godwit::host_pool
