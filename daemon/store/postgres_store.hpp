#pragma once
#include <memory>
#include <string>

#include "engine/clock.hpp"
#include "engine/cluster.hpp"
#include "engine/history.hpp"
#include "engine/store.hpp"

namespace godwit::store {

class PrivateCluster;
class SocketWatch;

struct StoreSettings {
  std::string url;  // of an existing database; empty: a private cluster is made and supervised
  std::string node_name;
  std::string state_dir;  // for the private cluster
  std::string bin_dir;    // where initdb and postgres are, for the private cluster; empty: looked for
  base::Duration call_limit = std::chrono::seconds(10);  // after which a server that does not answer is given up
  base::Duration lease = std::chrono::seconds(20);  // of the node's place; of no use with a private cluster
  bool only_if_free = false;                        // the place is not taken from a process that holds it
  std::map<std::string, std::string> labels;        // of the node
  std::vector<std::string> offers;                   // its plugins, as "id version"
  std::string version;                               // of the daemon
};

// The store on PostgreSQL. Its threads: one writes (the journal), two read (for the engine and for people), one runs
// the statements of steps, one listens, one guards against servers that do not answer. All answers are posted to
// `clock`, whose post() must therefore be safe to call from any thread.
class PostgresStore : public engine::Store, public engine::History {
 public:
  // With `watch`, which must outlive the store, what is written while little happens takes a shorter way.
  PostgresStore(StoreSettings settings, engine::Clock& clock, SocketWatch* watch = nullptr);
  ~PostgresStore() override;

  // Makes or finds the cluster, brings the schema up to date, takes the node's place and answers when the store can be
  // used. While the database is away it keeps trying; an error means that trying again is of no use.
  void start(engine::Answer<engine::Nothing> answer);
  // Writes what was appended if the database is there (for at most `patience`), ends everything else, stops a private
  // cluster. Blocks.
  void stop(base::Duration patience = std::chrono::seconds(5));

  void append(std::vector<engine::Fact> facts, std::function<void(engine::Verdict)> settled) override;
  void append_relaxed(engine::Fact fact) override;
  void allocate_runs(std::size_t count, engine::Answer<std::vector<model::RunId>> answer) override;
  void load_unfinished(model::RunId after, std::size_t limit,
                       engine::Answer<std::vector<engine::UnfinishedRun>> answer) override;
  void load_ranked(model::RunId after, std::size_t limit, engine::Answer<std::vector<engine::RankedRun>> answer) override;
  void load_run(model::RunId run, engine::Answer<engine::UnfinishedRun> answer) override;
  void load_runs(std::vector<model::RunId> runs, engine::Answer<std::vector<engine::UnfinishedRun>> answer) override;
  void load_resting(engine::Answer<std::vector<engine::Resting>> answer) override;
  void execute(engine::SqlStep step, engine::Answer<engine::SqlDone> answer) override;
  void read_outputs(model::RunId run, std::vector<std::string> paths,
                    engine::Answer<std::map<std::string, std::string>> answer) override;
  void read_checkpoint(model::RunId run, std::string path, std::string key,
                       engine::Answer<std::optional<std::string>> answer) override;
  void load_job(std::string version, engine::Answer<engine::JobStored> answer) override;
  void load_limits(engine::Answer<std::vector<engine::LimitSet>> answer) override;
  void load_queues(engine::Answer<std::vector<engine::QueueSet>> answer) override;
  void load_schedules(engine::Answer<std::vector<engine::StoredSchedule>> answer) override;
  void open_fires(std::string schedule, base::Instant instant, engine::Answer<engine::OpenFires> answer) override;
  void take_lock(engine::LockRow wanted, engine::Answer<std::vector<engine::LockRow>> answer) override;
  void grantable_locks(std::vector<std::string> names, engine::Answer<std::vector<model::RunId>> answer) override;
  void read_locks(std::string name, engine::Answer<std::vector<engine::LockRow>> answer) override;
  void read_inbox(std::size_t limit, engine::Answer<std::vector<engine::InboxEntry>> answer) override;
  void read_signals(std::size_t limit, engine::Answer<std::vector<engine::SignalSent>> answer) override;
  void watch_inbox(std::function<void()> arrived) override;
  base::json::object status() const override;
  std::string store_id() const override;
  // Null for a private cluster, which nobody shares.
  engine::Cluster* cluster();

  void list_runs(engine::RunFilter filter, engine::Answer<base::json::array> answer) override;
  void show_run(model::RunId run, engine::Answer<base::json::object> answer) override;
  void list_steps(model::RunId run, std::size_t offset, std::size_t limit, bool with_output,
                  engine::Answer<base::json::object> answer) override;
  void read_logs(model::RunId run, std::int64_t after, std::size_t limit,
                 engine::Answer<base::json::array> answer) override;
  void read_result(model::RunId run, engine::Answer<base::json::object> answer) override;
  void list_fires(std::string schedule, std::size_t limit, engine::Answer<base::json::array> answer) override;
  void list_artifacts(std::optional<model::RunId> run, std::size_t limit,
                      engine::Answer<base::json::array> answer) override;
  void read_artifact(std::string sha256, std::uint64_t offset, std::size_t size,
                     engine::Answer<base::json::object> answer) override;
  void unknown_files(std::vector<std::string> sha256, engine::Answer<std::vector<std::string>> answer) override;
  void list_nodes(engine::Answer<base::json::array> answer) override;
  void list_audit(std::size_t limit, engine::Answer<base::json::array> answer) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::store
