#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/cluster.hpp"
#include "store/connection.hpp"
#include "store/node_seat.hpp"

// What nodes ask the store about each other and each other's runs. Each function is one transaction and throws what
// libpqxx throws.
namespace godwit::store {

// A block of numbers for facts (see FactNumbers) that nobody else has.
std::int64_t new_block(Connection& connection);

// Besides the runs: a new block of numbers for what is written of them; 0 when there are none.
struct ClaimedRuns {
  std::vector<engine::Claimed> runs;
  std::int64_t block = 0;
};
ClaimedRuns claim_runs(Connection& connection, const NodeSeat& seat, std::size_t limit, bool with_active);
// What this node has claimed with a greater block than that.
ClaimedRuns claimed_since(Connection& connection, const NodeSeat& seat, std::int64_t block);
// Empty when the run is somebody's; the block when it is this node's now.
std::optional<std::int64_t> claim_run(Connection& connection, const NodeSeat& seat, model::RunId run);
// Of the runs that were taken before this new block of numbers: sent again, or late, it gives away nothing that this node has
// taken since.
void release_runs_but(Connection& connection, const NodeSeat& seat, const std::vector<model::RunId>& kept,
                      std::int64_t block);
engine::Owner find_owner(Connection& connection, const NodeSeat& seat, model::RunId run);

std::vector<engine::Mail> read_mail(Connection& connection, const NodeSeat& seat, std::size_t limit);
void send_mail(Connection& connection, const engine::Mail& mail);
void tell_about(Connection& connection, model::RunId run);
void answer_mail(Connection& connection, std::int64_t number, const std::optional<std::string>& text);
// Answers to mail of these numbers, which are removed.
std::vector<std::pair<std::int64_t, std::string>> take_answers(Connection& connection,
                                                               const std::vector<std::int64_t>& numbers);
// Takes mail back that nobody has answered; what has been answered meanwhile is given.
std::optional<std::string> withdraw_mail(Connection& connection, std::int64_t number);
void ring(Connection& connection);

// `round` is greater with every call of a life: one that arrives late changes nothing. Throws Error(unavailable) for
// it, and when the lease is over.
engine::Cluster::Division divide_limits(Connection& connection, const NodeSeat& seat, std::int64_t round,
                                        const std::vector<engine::QuotaAsk>& asks, bool whole);

base::json::array list_nodes(Connection& connection);
// Throws Error(not_found).
void set_draining(Connection& connection, const NodeSeat& seat, const std::string& node, bool draining,
                  const engine::Audited& audited);

}  // namespace godwit::store
