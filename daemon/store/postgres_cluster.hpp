#pragma once
#include <deque>
#include <map>
#include <memory>

#include "engine/cluster.hpp"
#include "store/lease_keeper.hpp"
#include "store/reader.hpp"
#include "store/run_numbers.hpp"

namespace godwit::store {

// This node among those that share the database: its lease, and a thread that asks what nodes ask each other.
class PostgresCluster : public engine::Cluster {
 public:
  // `site` has the settings of all connections; the lease has its own limit for each call. `renumber` is called with a
  // new block of numbers before the runs that it is for are given, on a thread of this.
  PostgresCluster(engine::Clock& clock, const Site& site, RunNumbers& numbers, base::Duration period,
                  std::function<void(std::int64_t block)> renumber);
  ~PostgresCluster() override;

  void start(const NodeSeat& seat, base::Duration taken);
  // After the StopSignal was raised.
  void join();
  // Another node rang; any thread.
  void rang();

  const engine::Lease& lease() const override { return keeper_; }
  void watch(Watcher watcher) override;
  void at_rest() override { keeper_.at_rest(); }
  void ring() override;
  void claim(std::size_t limit, bool with_active, engine::Answer<std::vector<engine::Claimed>> answer) override;
  void claim_one(model::RunId run, engine::Answer<bool> answer) override;
  void release_all_but(std::vector<model::RunId> kept, engine::Answer<engine::Nothing> answer) override;
  void find_owner(model::RunId run, engine::Answer<engine::Owner> answer) override;
  void read_mail(std::size_t limit, engine::Answer<std::vector<engine::Mail>> answer) override;
  void ask_owner(model::RunId run, std::string body, engine::Answer<std::string> answer) override;
  void tell_owner(model::RunId run) override;
  void answer_mail(std::int64_t number, std::optional<std::string> text) override;
  void divide_limits(std::vector<engine::QuotaAsk> asks, bool whole, engine::Answer<Division> answer) override;
  void set_draining(std::string node, bool draining, engine::Audited audited,
                    engine::Answer<engine::Nothing> answer) override;

 private:
  template <typename Work>
  void post(Work work);
  void take_block(std::int64_t block);
  void take_answers();
  void answered(std::int64_t number, const std::optional<std::string>& text);

  engine::Clock& clock_;
  Site lease_site_;
  RunNumbers& numbers_;
  std::function<void(std::int64_t)> renumber_;
  Reader reader_;
  LeaseKeeper keeper_;
  NodeSeat seat_;
  std::int64_t claimed_block_ = 0;  // with the last runs that were claimed; the reader's thread
  std::int64_t round_ = 0;
  Watcher watcher_;
  bool lost_ = false;
  bool ringing_ = false;
  bool ring_again_ = false;
  std::map<std::int64_t, engine::Answer<std::string>> asked_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for work that was posted
};

}  // namespace godwit::store
