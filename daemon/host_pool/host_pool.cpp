#include "host_pool/host_pool.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/digest.hpp"
#include "host_pool/nested_call.hpp"

namespace godwit::host_pool {
namespace {

namespace asio = boost::asio;

constexpr int kNestingMax = 4;
// Far more than any chain of calls that is not a cycle.
constexpr int kWaitChainMax = 64;
constexpr auto kStopPoll = std::chrono::milliseconds(10);
constexpr auto kCutPoll = std::chrono::milliseconds(10);

}  // namespace

HostPool::HostPool(asio::io_context& context, const PluginCatalog& catalog, HostSettings settings)
    : context_(context),
      catalog_(catalog),
      settings_(std::move(settings)),
      quarantine_(settings_.quarantine_dir),
      extensions_(context, settings_.extensions, settings_.plugins),
      stop_timer_(context),
      cut_timer_(context) {
  for (const auto& [id, plugin] : catalog_.plugins())
    if (quarantine_.find(id, plugin->file.sha256())) host_of(plugin);
}

HostPool::~HostPool() = default;

Host& HostPool::host_of(const std::shared_ptr<const Plugin>& plugin) {
  auto& host = hosts_[{plugin->manifest.id, plugin->file.sha256()}];
  if (!host) {
    host = std::make_shared<Host>(context_, plugin, settings_, quarantine_, static_cast<Host::Owner&>(*this));
    host->set_retired(!is_current(*plugin));
  }
  return *host;
}

bool HostPool::is_current(const Plugin& plugin) const {
  const auto current = catalog_.find(plugin.manifest.id);
  return current && current->file.sha256() == plugin.file.sha256();
}

void HostPool::catalog_changed() {
  std::erase_if(hosts_, [this](const auto& entry) {
    const auto& host = entry.second;
    host->set_retired(!is_current(host->plugin()));
    return !is_current(host->plugin()) && host->stopped() && host->idle();
  });
}

bool HostPool::reset(const std::string& plugin) {
  if (!catalog_.find(plugin))
    throw base::not_found("there is no plugin '" + plugin + "'", "`godwit plugin list` shows what there is");
  bool was_stopped = quarantine_.remove(plugin);
  for (const auto& [key, host] : hosts_)
    if (key.first == plugin) was_stopped = host->reset() || was_stopped;
  return was_stopped;
}

Call& HostPool::new_call(std::shared_ptr<const engine::Callable> callable, engine::StepCall step) {
  auto call = std::make_unique<Call>();
  call->number = ++last_number_;
  call->callable = std::move(callable);
  call->step = std::move(step);
  return *calls_.emplace(call->number, std::move(call)).first->second;
}

std::uint64_t HostPool::start(std::shared_ptr<const engine::Callable> callable, engine::StepCall step,
                              engine::StepListener& listener) {
  Host& host = host_of(*callable);
  Call& call = new_call(std::move(callable), std::move(step));
  call.listener = &listener;
  host.enqueue(call);
  return call.number;
}

// Later, because the engine may be inside a callback of the very call.
void HostPool::cancel(std::uint64_t number) {
  asio::post(context_, [this, alive = std::weak_ptr(alive_), number] {
    if (alive.expired()) return;
    const auto found = calls_.find(number);
    if (found != calls_.end() && found->second->host) found->second->host->cancel(*found->second);
  });
}

void HostPool::cut(std::function<void()> done) {
  for (const auto& [id, host] : hosts_) host->cut("this node was cut off from the database");
  check_cut(std::move(done));
}

void HostPool::check_cut(std::function<void()> done) {
  const bool gone = std::none_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host.second->has_process(); });
  if (gone) return asio::post(context_, std::move(done));
  cut_timer_.expires_after(kCutPoll);
  cut_timer_.async_wait([this, done = std::move(done)](const boost::system::error_code& error) mutable {
    if (!error) check_cut(std::move(done));
  });
}

void HostPool::on_finished(Call& call, engine::StepOutcome outcome) {
  if (call.nested) {
    static_cast<NestedCall&>(*call.nested->own_listener).caller_ended();
    call.nested->parent = nullptr;
    cancel(call.nested->number);
  }
  extensions_.on_ended(call);
  const auto owned = calls_.extract(call.number);
  call.listener->finished(std::move(outcome));
}

// --- calls of one plugin by another
// -------------------------------------------------------------------------------------------------------------------

void HostPool::on_invoke(Call& call, std::uint32_t question, std::string name, std::string args, std::string suffix) {
  const auto refuse = [&](const char* code, const std::string& why, bool retryable) {
    NestedCall::answer_failure(*call.host, call.number, question, {code, why, retryable, {}});
  };
  if (call.nested) return refuse("busy", "this call waits for another plugin already", false);
  if (call.depth + 1 > kNestingMax)
    return refuse("nested_too_deep",
                  "calls of plugins by plugins nest at most " + std::to_string(kNestingMax) + " deep", false);
  std::shared_ptr<const engine::Callable> callable;
  try {
    callable = catalog_.resolve(name);
  } catch (const base::Error& error) {
    return refuse("no_such_callable", error.what(), false);
  }
  Host& target = host_of(*callable);
  if (target.full() && !can_make_room(target, call, 0))
    return refuse("deadlock",
                  "all places of the plugin " + callable->plugin +
                      " are taken by calls that wait for this one; raise its concurrency or do not call it in a circle",
                  true);
  start_nested(call, target, question, std::move(callable), std::move(args), std::move(suffix));
}

void HostPool::start_nested(Call& caller, Host& target, std::uint32_t question,
                            std::shared_ptr<const engine::Callable> callable, std::string args, std::string suffix) {
  if (suffix.empty()) suffix = base::sha256_hex(callable->name + '\n' + args).substr(0, 16);
  engine::StepCall step;
  step.run = caller.step.run;
  step.path = caller.step.path + "/" + suffix;
  step.attempt = caller.step.attempt;
  step.idempotency_key = caller.step.idempotency_key + "/" + suffix;
  step.input = std::move(args);
  step.may_repeat = callable->retry_safe;
  step.priority = caller.step.priority;
  Call& nested = new_call(std::move(callable), std::move(step));
  nested.parent = &caller;
  nested.depth = caller.depth + 1;
  nested.not_after = caller.deadline;
  nested.own_listener = std::make_unique<NestedCall>(caller, question, std::move(suffix));
  nested.listener = nested.own_listener.get();
  caller.nested = &nested;
  target.enqueue(nested);
}

bool HostPool::can_end(const Call& call, const Call& asking, int depth) const {
  if (&call == &asking || depth > kWaitChainMax) return false;
  if (!call.nested) return true;
  return call.nested->dispatched ? can_end(*call.nested, asking, depth + 1)
                                 : can_make_room(*call.nested->host, asking, depth + 1);
}

bool HostPool::can_make_room(const Host& host, const Call& asking, int depth) const {
  if (!host.full()) return true;
  for (const auto& [number, call] : host.in_flight())
    if (can_end(*call, asking, depth + 1)) return true;
  return false;
}

// --- the end
// ------------------------------------------------------------------------------------------------------------------------------------------

void HostPool::stop(base::Duration grace, std::function<void()> done) {
  on_stopped_ = std::move(done);
  for (const auto& [id, host] : hosts_) host->drain();
  check_stopped(base::tick() + grace);
}

void HostPool::check_stopped(base::Tick kill_at) {
  bool stopped = true;
  for (const auto& [id, host] : hosts_) {
    if (host->stopped()) continue;
    stopped = false;
    if (base::tick() >= kill_at) host->kill("godwitd stops");
  }
  if (stopped) {
    asio::post(context_, std::exchange(on_stopped_, {}));
    return;
  }
  stop_timer_.expires_after(kStopPoll);
  stop_timer_.async_wait([this, kill_at](const boost::system::error_code& error) {
    if (!error) check_stopped(kill_at);
  });
}

std::string HostPool::state(const std::string& plugin, const std::string& sha256) const {
  const auto host = hosts_.find({plugin, sha256});
  return std::string(host == hosts_.end() ? Host::name(Host::State::idle) : Host::name(host->second->state()));
}

base::json::object HostPool::describe(const std::string& plugin) const {
  if (!catalog_.find(plugin)) return {};
  const auto settings = settings_.plugins.find(plugin);
  const model::Grants grants = settings == settings_.plugins.end() ? model::Grants() : settings->second.grants;
  base::json::array processes;
  for (const auto& [key, host] : hosts_)
    if (key.first == plugin) processes.push_back(host->status());
  return {{"grants", base::json::value_from(grants)}, {"processes", std::move(processes)}};
}

base::json::array HostPool::status() const {
  base::json::array result;
  for (const auto& [id, host] : hosts_) result.push_back(host->status());
  return result;
}

}  // namespace godwit::host_pool
