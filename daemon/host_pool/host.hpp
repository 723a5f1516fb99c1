#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/settings.hpp"
#include "host_pool/call.hpp"
#include "host_pool/extension_calls.hpp"
#include "host_pool/host_process.hpp"
#include "host_pool/plugin_catalog.hpp"
#include "host_pool/quarantine.hpp"
#include "wire/host_messages.hpp"

namespace godwit::host_pool {

// What is the same for all hosts. The times are settings so that tests need not wait.
struct HostSettings {
  std::string program;                                    // absolute path of godwit-host
  std::map<std::string, config::PluginSettings> plugins;  // by id; a plugin that is not here has the defaults
  bool require_sandbox = false;
  std::shared_ptr<process::CgroupTree> cgroups;  // null: processes have no control groups of their own
  ExtensionSettings extensions;
  std::string quarantine_dir;  // see Quarantine
  std::vector<std::string> environment;  // NAME=value, beside what every host gets from the daemon's own (host.cpp)
  base::Duration open_timeout = std::chrono::seconds(30);
  base::Duration ping_interval = std::chrono::seconds(5);
  int missed_pongs_max = 3;
  base::Duration backoff_first = std::chrono::milliseconds(100);
  base::Duration backoff_max = std::chrono::seconds(60);
  int crashes_max = 5;  // so many within crash_window and the plugin is not started again until reset()
  base::Duration crash_window = std::chrono::minutes(10);
  base::Duration healthy_after = std::chrono::seconds(
      60);  // a process that lived so long, or served a call well, makes the next backoff the first one again
};

// As the operator decided; where files are kept is left open.
HostSettings host_settings(const config::Settings& settings);

// The host process of one plugin and the calls for it: a queue, at most `concurrency` in flight, and the one state
// machine that starts, kills, reaps and respawns. Used on the engine's thread.
class Host : public HostProcess::Events, public std::enable_shared_from_this<Host> {
 public:
  // What a host cannot decide alone. Both may come from inside any function but those that enqueue().
  class Owner {
   public:
    virtual ~Owner() = default;
    // The call has ended; it is gone when this returns.
    virtual void on_finished(Call& call, engine::StepOutcome outcome) = 0;
    // Whether the message is one of an extension, and was taken care of.
    virtual bool on_extension(Call& call, const wire::Frame& frame) = 0;
    virtual void on_invoke(Call& call, std::uint32_t question, std::string name, std::string args,
                           std::string suffix) = 0;
  };

  enum class State { idle, starting, ready, ending, backoff, quarantine };
  static std::string_view name(State state);

  // A version that is in quarantine stays there.
  Host(boost::asio::io_context& context, std::shared_ptr<const Plugin> plugin, const HostSettings& settings,
       const Quarantine& quarantine, Owner& owner);
  ~Host() override;

  // Takes the call; it is dispatched in a later turn of the loop.
  void enqueue(Call& call);
  void cancel(Call& call);
  // Answers a question of a call that may have ended meanwhile.
  void reply(std::uint64_t call, std::uint32_t question, wire::HostStatus status, std::string_view value);
  void reply(std::uint64_t call, std::uint32_t question, wire::HostStatus status, std::string_view value,
             std::string_view body);
  void reply_fd(std::uint64_t call, std::uint32_t question, std::string_view value, base::UniqueFd fd);
  // No more calls: those that wait end as cancelled, those in flight may go on until kill() or their end; then the
  // process ends.
  void drain();
  void kill(const std::string& why);
  // Ends the process, for a reason that is not the plugin's; calls that have not begun end as cancelled.
  void cut(const std::string& why);
  bool has_process() const { return process_ != nullptr; }
  bool stopped() const { return state_ == State::idle || state_ == State::backoff || state_ == State::quarantine; }
  // A plugin of which there is a newer version goes on serving who calls it, but its process ends when nobody has for a
  // while.
  void set_retired(bool retired);
  // Lets a plugin in quarantine, or in a pause, start again at once.
  // Gives whether it was stopped.
  bool reset();

  const Plugin& plugin() const { return *plugin_; }
  State state() const { return state_; }
  bool idle() const { return queue_.empty() && in_flight_.empty(); }

  bool full() const { return in_flight_.size() >= static_cast<std::size_t>(plugin_->manifest.concurrency); }
  const std::unordered_map<std::uint64_t, Call*>& in_flight() const { return in_flight_; }
  base::json::object status() const;

  void on_frame(const wire::Frame& frame) override;
  void on_line(std::string_view line, std::string_view stream) override;
  void on_broken(const std::string& why) override { kill(why); }
  void on_closed() override;
  void on_ended(const process::Exit& exit) override;

 private:
  void pump_soon();
  void pump();
  void start();
  void dispatch(Call& call);
  void on_hello(const wire::Frame& frame);
  // Tells a process without calls to end; whether it did.
  bool end_if_done();
  void note_crash(const process::Exit& exit, const std::string& cause, bool used_up);
  // Which of its grants a process had used up when it ended; empty when none.
  std::string used_up_text(const process::Exit& exit) const;
  void on_sandbox_report(const base::json::value& report);
  void on_opened(const wire::Frame& frame);
  void on_call_frame(Call& call, const wire::Frame& frame);
  void expect_turn(Call& call);
  bool answers(std::uint64_t call);
  void on_log(Call& call, const wire::Frame& frame);
  void on_emit(Call& call, const wire::Frame& frame);
  void on_checkpoint_put(Call& call, const wire::Frame& frame);
  void on_checkpoint_get(Call& call, const wire::Frame& frame);
  void on_result(Call& call, const wire::Frame& frame);
  engine::StepOutcome outcome_of(Call& call, const wire::ResultMessage& result) const;
  engine::StepOutcome timed_out(const Call& call, const std::string& how) const;
  void finish(Call& call, engine::StepOutcome outcome);
  void tell_to_end(Call& call, Call::Ending why);
  void watch_deadlines(base::Tick next);
  void check_deadlines();
  void ping();
  void set_state_timer(base::Duration delay, void (Host::*function)());
  void on_open_timeout();
  void on_still_alive();
  void on_backoff_over();
  void on_load_failure(const std::string& why);
  void lose_calls(const std::string& cause);
  void fail_queue(std::string code, const std::string& why);
  std::string quarantine_text() const;
  HostProcess::Launch launch(std::vector<std::string> environment) const;
  void back_off(bool was_healthy);
  void log(Call& call, engine::LogLevel level, std::string_view text, std::string_view fields, std::string_view stream);

  boost::asio::io_context& context_;
  std::shared_ptr<const Plugin> plugin_;
  const HostSettings& settings_;
  const config::PluginSettings granted_;
  const Quarantine& quarantine_;
  Owner& owner_;

  State state_ = State::idle;
  std::shared_ptr<HostProcess> process_;
  std::map<std::pair<base::Tick, std::uint64_t>, Call*> queue_;  // by turn and number
  std::unordered_map<std::uint64_t, Call*> in_flight_;
  bool pump_pending_ = false;
  bool draining_ = false;
  bool retired_ = false;
  bool said_bye_ = false;      // this process was told to end and has no calls
  bool blameless_ = false;     // this process was killed for what no plugin can help
  bool opened_ = false;        // this process has served calls
  bool served_ = false;        // a call of this process succeeded
  int crashed_loads_ = 0;      // starts in a row that ended by a signal of their own making before they had loaded
  std::string ending_reason_;  // why we ended the process, when we did
  std::string load_failure_;   // why the last start did not work; calls fail with it until the next try

  boost::asio::steady_timer state_timer_;
  boost::asio::steady_timer deadline_timer_;
  boost::asio::steady_timer ping_timer_;
  base::Tick next_deadline_check_ = base::Tick::max();
  std::uint32_t pings_sent_ = 0;
  std::uint32_t pongs_seen_ = 0;
  base::Tick ready_since_{};
  base::Duration backoff_{};
  std::uint64_t starts_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t calls_ = 0;
  base::Tick idle_since_{};
  std::deque<base::Tick> recent_crashes_;
  base::json::value crash_report_;  // of the last crash
  std::string last_cause_;
  base::json::value sandbox_;  // what the last process said of its own confinement
  LogBudget log_budget_;
};

}  // namespace godwit::host_pool
