#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "app/artifact_sweeper.hpp"
#include "app/loop_clock.hpp"
#include "app/loop_watch.hpp"
#include "app/supervisor_link.hpp"
#include "artifact/files.hpp"
#include "base/idle_trim.hpp"
#include "config/settings.hpp"
#include "control/command.hpp"
#include "control/server.hpp"
#include "control/services.hpp"
#include "engine/engine.hpp"
#include "host_pool/host_pool.hpp"
#include "host_pool/script_pool.hpp"
#include "host_pool/script_reader.hpp"
#include "jobfile/library.hpp"
#include "store/postgres_store.hpp"

namespace godwit::app {

// The parts of godwitd, made in the order of the floors and taken down in the reverse one. Everything but the store's
// threads lives on one loop.
class Daemon {
 public:
  // `anew`: an earlier one in this process lost its lease. The link is the process's, and goes on with the next one.
  Daemon(config::Settings settings, SupervisorLink& supervisor, bool anew);
  // Serves until it is told to end; gives the process's exit code.
  int run();
  // Whether run() ended because the node's lease was over: a new Daemon is to begin anew.
  bool begins_anew() const { return begins_anew_; }

 private:
  control::Services make_services();
  void on_store_ready(const engine::Result<engine::Nothing>& result);
  base::json::object reload();
  // After jobs were read: what only reading needs is given back.
  void give_back_memory();
  void look_after_memory();
  base::json::array list_plugins() const;
  std::optional<base::json::object> read_artifact(const std::string& name, std::uint64_t offset) const;
  void watch_signals();
  void on_signal(int number);
  void begin_drain();
  // What is still waited for, and until when.
  std::string drain_text(base::Tick end) const;
  void end_drain();
  void on_fenced();
  void feed_watchdog();

  config::Settings settings_;
  boost::asio::io_context loop_{1};
  LoopClock clock_{loop_};
  LoopWatch watch_{loop_};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer drain_timer_;
  SupervisorLink& supervisor_;
  base::IdleTrim idle_trim_;
  host_pool::ScriptReader script_reader_;
  jobfile::Library library_;
  host_pool::PluginCatalog catalog_;
  artifact::Files artifacts_;
  store::PostgresStore store_;
  ArtifactSweeper sweeper_;
  host_pool::HostPool hosts_;
  host_pool::ScriptPool scripts_;
  engine::Engine engine_;
  std::optional<control::Server> server_;
  control::Services services_;
  control::CommandTable commands_;
  bool draining_ = false;
  bool ending_ = false;
  bool begins_anew_ = false;
  int exit_code_ = 0;
};

}  // namespace godwit::app
