#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "engine/cluster.hpp"
#include "engine/intake.hpp"
#include "engine/limits.hpp"
#include "engine/orders.hpp"
#include "engine/runner.hpp"

namespace godwit::engine {

// This node's part in a cluster: takes over runs, divides limits, passes on what is meant for other nodes and does what
// others pass on, drains, and touches nothing while it has no lease.
class Nodes {
 public:
  struct Parts {
    Cluster* cluster;  // null: the node is alone and stays so
    Store& store;
    StepRunner& steps;
    Clock& clock;
    Limits& limits;
    Queues& queues;
    Runner& runner;
    Intake& intake;
    Orders& orders;
    std::function<void(bool draining)> draining;  // changed
    std::function<void()> refresh;                // settings that all nodes share may have changed
    // A run of this node that waits in the store is to be looked at.
    std::function<void(model::RunId run, std::function<void()> done)> waiting;
    std::function<void()> lost;                   // the lease is over: nothing more can be stored
  };
  explicit Nodes(Parts parts) : parts_(std::move(parts)) {}
  ~Nodes();

  // `ready` comes once it is known what this node may let through.
  void start(std::function<void()> ready);
  void stop() { stopped_ = true; }

  // Has an order done by the node that has the run.
  void send(model::RunId run, Order order, Answer<base::json::value> answer);
  // What all nodes share was changed here: they look at it now, and not with their next beat.
  void tell_others();
  // Mail was written, with facts: whoever it is for looks at it now.
  void mailed();
  // Has the node that has the run look at it anew, if it is another one.
  void tell(model::RunId run);
  // Whether the run may be another node's.
  bool may_be_elsewhere(model::RunId run) const { return parts_.cluster && !parts_.intake.is_here(run); }

  base::json::object status() const;

 private:
  void on_beat(const Beat& beat);
  void on_rung();
  void refresh_soon();
  void watch_lease();
  void on_lapse();
  void claim();
  void share_out();
  std::vector<QuotaAsk> quota_asks();
  void take_grants(const Cluster::Division& division);
  void divide();
  void divide_soon();
  void on_divided(const Result<Cluster::Division>& division);
  void divide_regularly();
  void read_mail();
  void open(Mail mail);
  void look_at(model::RunId run, std::function<void()> done);
  void apply(ActiveRun& run, const UnfinishedRun& stored);
  void pass_on(model::RunId run, Order order, const Owner& owner, Answer<base::json::value> answer);

  Parts parts_;
  std::size_t others_ = 0;
  bool draining_ = false;
  bool lapsed_ = false;
  bool orphans_ = false;
  bool claiming_ = false;
  bool dividing_ = false;
  bool divide_again_ = false;
  bool divide_due_ = false;
  bool refresh_due_ = false;
  bool reading_mail_ = false;
  bool mail_again_ = false;
  bool stopped_ = false;
  std::uint64_t lease_timer_ = 0;
  std::uint64_t round_timer_ = 0;
  std::function<void()> ready_;
  std::set<std::int64_t> opened_;  // mail that is being dealt with
};

}  // namespace godwit::engine
