#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/store.hpp"
#include "store/connection.hpp"
#include "store/node_seat.hpp"

// When a resting run `t` is to wake. One whose child has ended, that is to be cancelled, or that has the lock or the turn
// it waits for, has something to do at once: that may have been written while the run's own node was gone, or been the
// last thing that the node did.
inline constexpr auto kWakeAt = R"sql(CASE WHEN EXISTS (SELECT FROM godwit.wait w LEFT JOIN godwit.run_done c ON c.run = w.child
    LEFT JOIN godwit.lock l ON l.run = w.run AND l.path = w.path AND l.granted WHERE w.run = t.run
    AND (c.run IS NOT NULL OR l.run IS NOT NULL) AND NOT EXISTS (SELECT FROM godwit.step s WHERE s.run = w.run AND s.path = w.path))
  OR EXISTS (SELECT FROM godwit.lock l WHERE l.run = t.run AND l.path = '' AND l.granted
    AND NOT EXISTS (SELECT FROM godwit.wait w WHERE w.run = t.run) AND NOT EXISTS (SELECT FROM godwit.attempt a WHERE a.run = t.run))
  OR EXISTS (SELECT FROM godwit.run_change g WHERE g.run = t.run AND g.change = 4) THEN now() ELSE t.wake_at END)sql";

// Whether the run `r` waits for a lock, or for its turn.
inline constexpr auto kWaitsForLock =
    "(SELECT l.run FROM godwit.lock l WHERE l.run = r.id AND NOT l.granted LIMIT 1) IS NOT NULL";

// What the engine reads back: its unfinished runs with all their facts, and single facts. Each function is one call on
// one connection and throws what libpqxx throws.
namespace godwit::store {

std::vector<engine::UnfinishedRun> load_unfinished(Connection& connection, const NodeSeat& seat,
                                                   const UnfoldedRuns& unfolded, model::RunId after, std::size_t limit);
std::vector<engine::RankedRun> load_ranked(Connection& connection, const NodeSeat& seat, const UnfoldedRuns& unfolded,
                                           model::RunId after, std::size_t limit);
// Throws Error(not_found).
engine::UnfinishedRun load_run(Connection& connection, model::RunId run);
std::vector<engine::UnfinishedRun> load_runs(Connection& connection, const NodeSeat& seat,
                                             const std::vector<model::RunId>& wanted);
std::vector<engine::Resting> load_resting(Connection& connection, const NodeSeat& seat);
std::vector<engine::SignalSent> read_signals(Connection& connection, const NodeSeat& seat, std::size_t limit);
std::map<std::string, std::string> read_outputs(Connection& connection, model::RunId run,
                                                const std::vector<std::string>& paths);
std::optional<std::string> read_checkpoint(Connection& connection, model::RunId run, const std::string& path,
                                           const std::string& key);
// Throws Error(not_found).
engine::JobStored load_job(Connection& connection, const std::string& version);
std::vector<engine::LimitSet> load_limits(Connection& connection);
std::vector<engine::QueueSet> load_queues(Connection& connection);
std::vector<engine::StoredSchedule> load_schedules(Connection& connection);
engine::OpenFires open_fires(Connection& connection, const std::string& schedule, base::Instant instant);
std::vector<engine::InboxEntry> read_inbox(Connection& connection, std::size_t limit);
std::vector<model::RunId> take_run_numbers(Connection& connection, std::size_t count);

}  // namespace godwit::store
