#include "app/daemon.hpp"

#include <signal.h>
#include <unistd.h>

#include <random>

#include "base/base64.hpp"
#include "base/log.hpp"
#include "engine/scheduler.hpp"
#include "control/commands/all.hpp"
#include "wire/host_messages.hpp"

namespace godwit::app {

namespace json = base::json;
namespace log = base::log;

namespace {

constexpr auto kVersion = GODWIT_VERSION;
constexpr std::size_t kArtifactPiece = 1u << 20;
constexpr std::size_t kStepsNamed = 3;  // of those that an end waits for
constexpr auto kMemoryLook = std::chrono::seconds(2);
constexpr auto kCutOff = "the next start takes up what was running, and blocks runs whose step may not be repeated";

engine::EngineSettings engine_settings(const config::Settings& settings, engine::Scripts& scripts,
                                       engine::Cluster* cluster) {
  engine::EngineSettings result;
  result.active_runs_max = static_cast<std::size_t>(settings.active_runs_max);
  result.steps_in_flight_max = static_cast<std::size_t>(settings.steps_in_flight_max);
  result.limits = settings.limits;
  result.queues = settings.queues;
  result.breakers = settings.breakers;
  result.seed = std::random_device{}();
  result.scripts = &scripts;
  result.locks_looked_every = std::chrono::seconds(5);
  result.cluster = cluster;
  result.labels = settings.node_labels;
  return result;
}

control::RoleMembers members(const config::RoleMembers& from) {
  return {from.users, from.groups};
}

control::ServerSettings server_settings(const config::Settings& settings) {
  control::ServerSettings result;
  result.listener = {
      .path = settings.socket, .group = settings.socket_group, .mode = static_cast<mode_t>(settings.socket_mode)};
  if (::geteuid() != 0) result.listener.directory_mode = 0700;
  result.roles = {members(settings.roles[0]), members(settings.roles[1]), members(settings.roles[2])};
  return result;
}

store::StoreSettings store_settings(const config::Settings& settings, bool anew, std::vector<std::string> plugins) {
  return {.url = settings.database_url,
          .node_name = settings.node_name,
          .state_dir = settings.state_dir,
          .bin_dir = settings.database_bin_dir,
          .lease = settings.node_lease,
          .only_if_free = anew,
          .labels = settings.node_labels,
          .offers = std::move(plugins),
          .version = kVersion};
}

std::string artifact_dir(const config::Settings& settings) {
  return settings.state_dir + "/artifacts";
}

// Taken once in the life of the process, before any other process is started, so that all of them begin where this one
// is then.
std::shared_ptr<process::CgroupTree> delegated_cgroups() {
  static const std::shared_ptr<process::CgroupTree> kTaken = [] {
    if (auto cgroups = process::CgroupTree::take_delegated())
      return std::make_shared<process::CgroupTree>(std::move(*cgroups));
    log::info("plugins get no control groups of their own: nobody has delegated one (Delegate=yes in the unit)");
    return std::shared_ptr<process::CgroupTree>();
  }();
  return kTaken;
}

// What runs may be pinned to here.
std::vector<std::string> offers(const host_pool::PluginCatalog& catalog) {
  std::vector<std::string> result;
  for (const auto& [id, plugin] : catalog.plugins()) result.push_back(id + " " + plugin->manifest.version);
  return result;
}

host_pool::HostSettings host_settings(const config::Settings& settings, engine::History& history) {
  host_pool::HostSettings result = host_pool::host_settings(settings);
  result.extensions.artifact_dir = artifact_dir(settings);
  result.extensions.read_output = [&history](std::string sha256, engine::Answer<std::string> answer) {
    history.read_artifact(std::move(sha256), 0, wire::kPayloadSizeMax,
                          [answer = std::move(answer)](engine::Result<json::object> piece) {
                            if (!piece) return answer(piece.error());
                            answer(std::string(piece->at("base64").as_string()));
                          });
  };
  result.quarantine_dir = settings.state_dir + "/quarantine";
  result.cgroups = delegated_cgroups();
  return result;
}

void report(const std::vector<base::Error::Problem>& problems) {
  for (const auto& problem : problems) log::warning("{}", problem.text());
}

std::vector<std::filesystem::path> paths(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

json::array problems_json(const std::vector<base::Error::Problem>& problems) {
  json::array out;
  for (const auto& problem : problems) out.push_back(json::string(problem.text()));
  return out;
}

}  // namespace

Daemon::Daemon(config::Settings settings, SupervisorLink& supervisor, bool anew)
    : settings_(std::move(settings)),
      signals_(loop_),
      drain_timer_(loop_),
      supervisor_(supervisor),
      script_reader_(settings_.host_program),
      library_(paths(settings_.job_dirs), &script_reader_),
      catalog_(settings_),
      artifacts_(artifact_dir(settings_), settings_.artifact_max),
      store_(store_settings(settings_, anew, offers(catalog_)), clock_, &watch_),
      sweeper_(artifacts_, store_, clock_, {}),
      hosts_(loop_, catalog_, host_settings(settings_, store_)),
      scripts_(loop_, {.program = settings_.host_program}),
      engine_(engine_settings(settings_, scripts_, store_.cluster()), store_, hosts_, clock_, library_, [this] { on_fenced(); }),
      services_(make_services()),
      commands_(control::all_commands(services_)) {
  server_.emplace(loop_, server_settings(settings_), commands_);
  report(catalog_.problems());
  report(server_->problems());
  report(library_.reload().problems);
}

control::Services Daemon::make_services() {
  return control::Services{
      .engine = engine_,
      .store = store_,
      .history = store_,
      .library = library_,
      .list_plugins = [this] { return list_plugins(); },
      .show_plugin =
          [this](const std::string& id) {
            for (auto& plugin : list_plugins()) {
              if (id.empty() || plugin.at("id") != json::string_view(id)) continue;
              json::object result = plugin.as_object();
              for (auto& member : hosts_.describe(id)) result[member.key()] = std::move(member.value());
              return result;
            }
            throw base::not_found("there is no plugin '" + id + "'", "`godwit plugin list` shows what there is");
          },
      .hosts_status =
          [this] {
            return json::object{{"hosts", hosts_.status()}, {"scripts", scripts_.status()}, {"problems", problems_json(catalog_.problems())}};
          },
      .control_status = [this] { return server_ ? server_->status() : json::object(); },
      .reload = [this] { return reload(); },
      .version = kVersion,
      .reset_plugin = [this](const std::string& id) { return hosts_.reset(id); },
      .cluster = store_.cluster(),
      .read_artifact = [this](const std::string& name, std::uint64_t offset) { return read_artifact(name, offset); },
      .submit_max = settings_.submit_max,
  };
}

json::array Daemon::list_plugins() const {
  json::array plugins = catalog_.describe();
  for (auto& plugin : plugins) {
    if (const auto* sha256 = plugin.as_object().if_contains("sha256"))
      plugin.as_object()["state"] = hosts_.state(std::string(plugin.at("id").as_string()), std::string(sha256->as_string()));
  }
  return plugins;
}

std::optional<json::object> Daemon::read_artifact(const std::string& name, std::uint64_t offset) const {
  const std::string sha256 = artifact::sha256_of(name);
  if (sha256.empty())
    throw base::refused("\"" + name + "\" is no name of an artifact", {},
                        "`godwit artifact list` shows them: sha256:...");
  const base::UniqueFd file = artifacts_.open(sha256);
  if (!file) return std::nullopt;
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::string bytes(kArtifactPiece, '\0');
  const ssize_t got =
      ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(std::min<std::uint64_t>(offset, INT64_MAX)));
  if (size < 0 || got < 0) throw base::Error(base::ErrorKind::failed, "the artifact cannot be read");
  bytes.resize(static_cast<std::size_t>(got));
  return json::object{{"size", size}, {"base64", base::base64(bytes)}};
}

int Daemon::run() {
  watch_signals();
  feed_watchdog();
  log::info("godwitd {} starts: socket {}, state {}", kVersion, settings_.socket, settings_.state_dir);
  store_.start([this](const engine::Result<engine::Nothing>& result) { on_store_ready(result); });
  loop_.run();
  server_.reset();
  store_.stop();
  log::info("godwitd has ended");
  return exit_code_;
}

void Daemon::on_store_ready(const engine::Result<engine::Nothing>& result) {
  if (!result) {
    log::error("{}", result.error().what());
    exit_code_ = 1;
    return loop_.stop();
  }
  sweeper_.start(store_.store_id());
  engine_.start([this] {
    log::info("ready: {} jobs, {} plugins, {} runs at work", library_.list().size(), catalog_.plugins().size(),
              engine_.status().at("runs_in_memory").to_number<std::size_t>());
    give_back_memory();
    look_after_memory();
    supervisor_.ready("serving");
  });
}

void Daemon::give_back_memory() {
  script_reader_.rest();
  idle_trim_.trim();
}

void Daemon::look_after_memory() {
  idle_trim_.look();
  clock_.at(clock_.tick() + kMemoryLook, [this] { look_after_memory(); });
}

json::object Daemon::reload() {
  supervisor_.reloading();
  const auto result = library_.reload();
  report(result.problems);
  engine_.schedules().reload();
  catalog_.reload();
  hosts_.catalog_changed();
  report(catalog_.problems());
  log::info("reloaded: {} jobs read, {} changed, {} problems; {} plugins", result.loaded, result.changed,
            result.problems.size(), catalog_.plugins().size());
  give_back_memory();
  supervisor_.ready("serving");
  return {{"loaded", result.loaded},
          {"changed", result.changed},
          {"problems", problems_json(result.problems)},
          {"plugins", catalog_.plugins().size()},
          {"plugin_problems", problems_json(catalog_.problems())}};
}

void Daemon::watch_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
  struct Waiter {
    Daemon& daemon;
    void operator()(const boost::system::error_code& error, int number) const {
      if (error) return;
      daemon.on_signal(number);
      daemon.signals_.async_wait(*this);
    }
  };
  signals_.async_wait(Waiter{*this});
}

void Daemon::on_signal(int number) {
  if (number == SIGHUP) {
    reload();
    return;
  }
  if (draining_) {
    log::warning("told to end again: ending now; {}", kCutOff);
    return end_drain();
  }
  begin_drain();
}

void Daemon::begin_drain() {
  draining_ = true;
  log::info("ending: running steps have {} to finish", base::format_duration(settings_.drain_timeout));
  supervisor_.stopping("waiting for running steps");
  supervisor_.extend(settings_.drain_timeout + std::chrono::seconds(20));
  const auto end = base::tick() + settings_.drain_timeout;
  if (server_) server_->take_no_changes([this, end] { return drain_text(end); });
  engine_.drain([this] { end_drain(); });
  drain_timer_.expires_after(settings_.drain_timeout);
  drain_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log::warning("steps are still running; {}", kCutOff);
    end_drain();
  });
}

std::string Daemon::drain_text(base::Tick end) const {
  const auto left = std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(end - base::tick()));
  std::string text = "godwitd is ending, in " + base::format_duration(left) + " at the latest";
  const auto steps = engine_.under_way(kStepsNamed + 1);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    text += i == 0 ? ": it waits for " : ", ";
    if (i == kStepsNamed) return text + "and more";
    text += steps[i];
  }
  return text;
}

void Daemon::end_drain() {
  if (std::exchange(ending_, true)) return;
  drain_timer_.cancel();
  scripts_.stop();
  hosts_.stop(base::Duration(0), [this] { loop_.stop(); });
}

void Daemon::on_fenced() {
  if (std::exchange(ending_, true)) return;
  log::warning("the lease of node '{}' is over, or another godwitd took its place: all runs are given up, beginning anew",
               settings_.node_name);
  begins_anew_ = true;
  scripts_.stop();
  hosts_.cut([this] {
    if (auto* cluster = store_.cluster()) cluster->at_rest();
    loop_.stop();
  });
}

// Called from the loop that runs the jobs, so that a loop which is stuck is not fed for.
void Daemon::feed_watchdog() {
  const auto interval = supervisor_.watchdog_interval();
  if (!interval) return;
  supervisor_.alive();
  clock_.at(clock_.tick() + *interval, [this] { feed_watchdog(); });
}

}  // namespace godwit::app
