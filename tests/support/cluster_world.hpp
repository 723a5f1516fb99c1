#pragma once
#include <deque>
#include <map>
#include <memory>
#include <random>

#include "engine/engine.hpp"
#include "lab/memory_store.hpp"
#include "lab/virtual_clock.hpp"
#include "support/scripted_runner.hpp"
#include "support/temp_dir.hpp"

namespace godwit::support {

// The time of one process: it stands still while the process is paused, and ends with it.
class NodeClock : public engine::Clock {
 public:
  explicit NodeClock(lab::VirtualClock& world) : world_(world) {}
  ~NodeClock() override { life_->ended = true; }

  base::Instant now() const override { return world_.now(); }
  base::Tick tick() const override { return world_.tick(); }
  std::uint64_t at(base::Tick when, std::function<void()> work) override {
    const auto id = std::make_shared<std::uint64_t>(0);
    return *id = world_.at(when, [life = life_, id, work = std::move(work)] { life->run(*id, work); });
  }
  void cancel(std::uint64_t timer) override {
    world_.cancel(timer);
    std::erase_if(life_->held, [&](const auto& entry) { return entry.first == timer; });
  }
  void post(std::function<void()> work) override {
    world_.post([life = life_, work = std::move(work)] { life->run(0, work); });
  }
  void pause() { life_->paused = true; }
  void go_on() {
    life_->paused = false;
    world_.post([life = life_] { life->catch_up(); });
  }

 private:
  struct Life {
    bool ended = false, paused = false;
    std::deque<std::pair<std::uint64_t, std::function<void()>>> held;  // what came due meanwhile, with its timer
    void run(std::uint64_t timer, const std::function<void()>& work) {
      if (ended) return;
      if (paused || !held.empty())
        held.emplace_back(timer, work);
      else
        work();
    }
    void catch_up() {
      while (!ended && !paused && !held.empty()) {
        const auto work = std::move(held.front().second);
        held.pop_front();
        work();
      }
    }
  };
  lab::VirtualClock& world_;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
};

// What the nodes of a world keep in the store about each other, with the rules of store/cluster_queries.cpp.
struct ClusterMemory {
  struct Node {
    base::Instant until;
    bool gone = true;
    bool whole = false;
    bool draining = false;
  };
  std::map<int, Node> nodes;
  std::map<std::string, std::map<int, engine::QuotaAsk>> quotas;
  std::int64_t last_epoch = 0;
  std::map<std::int64_t, std::string> answers;

  void end_lease(lab::Memory& memory, int node) {
    memory.epochs[node] = ++last_epoch;
    nodes[node].gone = true;
    nodes[node].whole = false;
    for (auto& [name, asks] : quotas) asks.erase(node);
  }
};

// The Cluster of one node's life on such a memory. While it is away nothing is answered.
class MemoryCluster : public engine::Cluster, public engine::Lease {
 public:
  MemoryCluster(ClusterMemory& shared, lab::Memory& memory, NodeClock& clock, int node, std::int64_t epoch,
                base::Duration period)
      : shared_(shared), memory_(memory), clock_(clock), node_(node), epoch_(epoch), period_(period) {
    acts_from(clock_.tick());
  }

  const engine::Lease& lease() const override { return *this; }
  bool held() const override { return left().count() > 0; }
  base::Duration left() const override {
    return std::chrono::duration_cast<base::Duration>(acts_until_ - clock_.tick());
  }
  void watch(Watcher watcher) override {
    watcher_ = std::move(watcher);
    renew();
  }
  void at_rest() override { killed_at_.reset(); }
  // The timer of the kernel, which runs from the last renewal on, whether the process is paused or not.
  bool is_killed() const { return killed_at_ && clock_.tick() >= *killed_at_; }
  void ring() override {
    if (rings) clock_.post(rings);
  }
  void rung() {
    ask([this] {
      if (watcher_.rung) watcher_.rung();
    });
  }
  std::function<void()> rings;  // rings at all nodes of the world

  void claim(std::size_t limit, bool with_active, engine::Answer<std::vector<engine::Claimed>> answer) override {
    ask([this, limit, with_active, answer = std::move(answer)] {
      std::vector<engine::Claimed> claimed;
      if (is_fenced()) return answer(claimed);
      for (auto& [id, run] : memory_.runs) {
        if (claimed.size() == limit) break;
        if (run.done || !is_free(run.owner) || (!with_active && !run.rested)) continue;
        run.owner = node_;
        const bool begun = !run.steps.empty() || !run.attempts.empty() || !run.waits.empty();
        claimed.push_back({{id, run.submitted.options, run.submitted.submitted_at, begun, run.rested.has_value(),
                            memory_.rests_for_lock(run)}});
        if (run.rested) claimed.back().wake_at = memory_.wake_at(run, clock_.now());
      }
      answer(claimed);
    });
  }
  void claim_one(model::RunId run, engine::Answer<bool> answer) override {
    ask([this, run, answer = std::move(answer)] {
      auto& owner = memory_.runs.at(run).owner;
      if (!is_fenced() && is_free(owner)) owner = node_;
      answer(owner == node_);
    });
  }
  void release_all_but(std::vector<model::RunId> kept, engine::Answer<engine::Nothing> answer) override {
    auto release = [this, kept = std::move(kept), answer = std::move(answer)] {
      if (!is_fenced())
        for (auto& [id, run] : memory_.runs)
          if (run.owner == node_ && std::find(kept.begin(), kept.end(), id) == kept.end()) run.owner = 0;
      ring();
      answer(engine::Nothing{});
    };
    releases_late ? releases_late(std::move(release)) : ask(std::move(release));
  }
  // Has a release of all runs wait, as one whose connection was lost and which is sent again.
  std::function<void(std::function<void()> release)> releases_late;
  void find_owner(model::RunId run, engine::Answer<engine::Owner> answer) override {
    ask([this, run, answer = std::move(answer)] {
      const auto found = memory_.runs.find(run);
      if (found == memory_.runs.end() || found->second.done) return answer(engine::Owner{});
      if (found->second.owner == node_) return answer(engine::Owner{engine::Owner::mine, "me"});
      if (is_free(found->second.owner)) return answer(engine::Owner{engine::Owner::nobody, ""});
      answer(engine::Owner{engine::Owner::other, std::to_string(found->second.owner)});
    });
  }
  void read_mail(std::size_t limit, engine::Answer<std::vector<engine::Mail>> answer) override {
    ask([this, limit, answer = std::move(answer)] {
      std::vector<engine::Mail> mail;
      for (const auto& [number, one] : memory_.mail)
        if (mail.size() < limit && !shared_.answers.contains(number) && memory_.runs.at(one.run).owner == node_)
          mail.push_back(one);
      answer(mail);
    });
  }
  void ask_owner(model::RunId run, std::string body, engine::Answer<std::string> answer) override {
    ask([this, run, body = std::move(body), answer = std::move(answer)] {
      const auto number = ++memory_.last_run;
      memory_.mail[number] = {number, run, body};
      ring();
      wait_for_answer(number, answer, 100);
    });
  }
  void tell_owner(model::RunId run) override {
    ask([this, run] {
      const auto number = ++memory_.last_run;
      memory_.mail[number] = {number, run, {}};
      ring();
    });
  }
  void answer_mail(std::int64_t number, std::optional<std::string> text) override {
    ask([this, number, text = std::move(text)] {
      text ? void(shared_.answers[number] = *text) : void(memory_.mail.erase(number));
    });
  }
  void divide_limits(std::vector<engine::QuotaAsk> asks, bool whole, engine::Answer<Division> answer) override {
    ask([this, asks = std::move(asks), whole, answer = std::move(answer)] {
      if (is_fenced() || clock_.now() > shared_.nodes[node_].until)
        return answer(base::Error(base::ErrorKind::unavailable, "the lease is over"));
      Division division;
      bool alone = true, taken = false;
      for (const auto& [id, node] : shared_.nodes) {
        alone = alone && (id == node_ || node.gone);
        taken = taken || (id != node_ && !node.gone && node.whole);
      }
      division.whole = shared_.nodes[node_].whole = whole && alone;
      for (auto& [name, all] : shared_.quotas)
        if (std::none_of(asks.begin(), asks.end(), [&name = name](const auto& ask) { return ask.name == name; }))
          all.erase(node_);
      for (const auto& ask : asks) {
        auto& all = shared_.quotas[ask.name];
        all.erase(node_);
        if (division.whole) continue;
        all[node_] = ask;
        const auto grant = taken ? engine::QuotaGrant{ask.held, ask.held} : engine::grant_quota(ask.total, node_, all);
        all[node_].held = grant.held;
        division.grants[ask.name] = grant;
      }
      answer(division);
    });
  }
  void set_draining(std::string node, bool draining, engine::Audited, engine::Answer<engine::Nothing> answer) override {
    ask([this, node = std::move(node), draining, answer = std::move(answer)] {
      shared_.nodes[std::stoi(node)].draining = draining;
      answer(engine::Nothing{});
    });
  }

  void set_away(bool away) {
    away_ = away;
    if (away) return;
    for (auto& work : std::exchange(waiting_, {})) clock_.post(std::move(work));
  }

 private:
  void ask(std::function<void()> work) {
    clock_.post([this, work = std::move(work)]() mutable { away_ ? waiting_.push_back(std::move(work)) : work(); });
  }
  void acts_from(base::Tick sent) {
    acts_until_ = sent + period_ * 7 / 10;
    killed_at_ = sent + period_ * 85 / 100;
  }
  bool is_fenced() const { return memory_.checks_epochs && memory_.epochs[node_] != epoch_; }
  bool is_free(int owner) const { return owner == 0 || (owner != node_ && shared_.nodes.at(owner).gone); }
  void wait_for_answer(std::int64_t number, engine::Answer<std::string> answer, int tries) {
    if (const auto text = shared_.answers.extract(number)) {
      memory_.mail.erase(number);
      return answer(text.mapped());
    }
    if (tries == 0) {
      memory_.mail.erase(number);
      return answer(base::Error(base::ErrorKind::unavailable, "no answer came"));
    }
    clock_.at(clock_.tick() + std::chrono::milliseconds(200),
              [this, number, answer = std::move(answer), tries] { wait_for_answer(number, answer, tries - 1); });
  }
  void renew() {
    // As in LeaseKeeper a renewal that has no answer by now is cut off and sent anew.
    renewal_sent_ = clock_.tick();
    if (!std::exchange(renewing_, true))
      ask([this] {
        renewing_ = false;
        if (memory_.epochs[node_] != epoch_ || shared_.nodes[node_].gone) return watcher_.lost();
        shared_.nodes[node_].until = clock_.now() + period_;
        acts_from(renewal_sent_);
        engine::Beat beat{.draining = shared_.nodes[node_].draining};
        for (auto& [id, node] : shared_.nodes) {
          if (id == node_ || node.gone) continue;
          node.until < clock_.now() ? shared_.end_lease(memory_, id) : void(++beat.others);
        }
        for (const auto& [id, run] : memory_.runs) beat.orphans = beat.orphans || (!run.done && is_free(run.owner));
        watcher_.beat(beat);
      });
    clock_.at(clock_.tick() + period_ / 4, [this] { renew(); });
  }

  ClusterMemory& shared_;
  lab::Memory& memory_;
  NodeClock& clock_;
  const int node_;
  const std::int64_t epoch_;
  const base::Duration period_;
  base::Tick acts_until_;
  std::optional<base::Tick> killed_at_;
  base::Tick renewal_sent_{};
  Watcher watcher_;
  bool away_ = false;
  bool renewing_ = false;
  std::vector<std::function<void()>> waiting_;
};

// Several engines on one memory, each of which may crash, stand still, or be cut off.
class ClusterWorld {
 public:
  static constexpr base::Duration kLease = std::chrono::seconds(10);

  explicit ClusterWorld(int count, engine::EngineSettings given)
      : settings(std::move(given)), library_({jobs_.path()}) {
    for (int node = 1; node <= count; ++node) start(node);
  }

  struct Node {
    std::unique_ptr<NodeClock> clock;
    std::unique_ptr<lab::MemoryStore> store;
    std::unique_ptr<ScriptedRunner> runner;
    std::unique_ptr<MemoryCluster> cluster;
    std::unique_ptr<engine::Engine> engine;
    bool lost = false;
    bool paused = false;
    std::size_t seen = 0;  // calls of runner->sent that were looked at
  };
  engine::EngineSettings settings;
  lab::Memory memory;
  ClusterMemory shared;
  lab::VirtualClock clock;
  std::map<int, Node> nodes;
  std::map<std::string, ScriptedRunner::Plugin> plugins;

  // A new life of a node, as a process that was started again.
  void start(int id) {
    Node& node = nodes[id];
    const auto epoch = memory.epochs[id] = ++shared.last_epoch;
    auto& seat = shared.nodes[id];
    seat.gone = seat.whole = false;
    seat.until = clock.now() + kLease;
    for (auto& [name, asks] : shared.quotas) asks.erase(id);
    node.lost = false;
    node.paused = false;
    node.seen = 0;
    node.clock = std::make_unique<NodeClock>(clock);
    node.store = std::make_unique<lab::MemoryStore>(memory, *node.clock, id, epoch);
    node.runner = std::make_unique<ScriptedRunner>(*node.clock);
    node.runner->plugins = plugins;
    node.cluster = std::make_unique<MemoryCluster>(shared, memory, *node.clock, id, epoch, kLease);
    node.cluster->rings = [this] {
      for (auto& [other, one] : nodes)
        if (one.cluster) one.cluster->rung();
    };
    auto own = settings;
    own.cluster = node.cluster.get();
    own.labels = {{"name", std::to_string(id)}};
    node.engine = std::make_unique<engine::Engine>(own, *node.store, *node.runner, *node.clock, library_,
                                                   [&node] { node.lost = true; });
    node.engine->start([] {});
  }
  void end(int id, std::mt19937_64& random) {
    Node& node = nodes[id];
    node.store->crash(random);
    node.engine.reset();
    node.cluster.reset();
    node.runner.reset();
    node.store.reset();
    node.clock.reset();
  }
  bool runs(int id) const { return nodes.at(id).engine != nullptr; }
  void plugin(const std::string& name, const ScriptedRunner::Plugin& plugin) {
    plugins[name] = plugin;
    for (auto& [id, node] : nodes)
      if (node.runner) node.runner->plugins[name] = plugin;
  }
  std::size_t in_flight() const {
    std::size_t sum = 0;
    for (const auto& [id, node] : nodes) sum += node.runner ? node.runner->in_flight() : 0;
    return sum;
  }
  std::string result(model::RunId id) const {
    const auto& done = memory.runs.at(id).done;
    if (!done) return "not ended";
    return done->failure ? std::string(model::name(done->state)) + " " + done->failure->code : done->result;
  }
  const TempDir& jobs() const { return jobs_; }
  jobfile::Library& library() { return library_; }

 private:
  TempDir jobs_;
  jobfile::Library library_;
};

}  // namespace godwit::support
