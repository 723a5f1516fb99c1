#include "store/cluster_queries.hpp"

#include <spdlog/fmt/fmt.h>

#include "store/batch.hpp"
#include "store/recovery.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

constexpr auto kRing = "NOTIFY godwit_nodes";
constexpr auto kFence = "SELECT FROM godwit.node WHERE id = $1 AND epoch = $2 FOR SHARE";
// And one claim of a node after the other: who looks for what a lost one has done waits for its end.
constexpr auto kClaimFence =
    "SELECT pg_advisory_xact_lock(hashtext('godwit.claim'), n.id) FROM (SELECT id FROM godwit.node WHERE id = $1 AND epoch = "
    "$2 FOR SHARE) n";

// Runs of nodes that are gone (node 0 always is), as far as this node has what they are pinned to (by the submit, or by the
// last migration) and the labels they ask for: of each node its oldest. A script is pinned to all that was installed and
// calls little of it; so the plugins must be there, and each call looks at its version. The lease's row is held, so that a
// node which comes back waits and then sees what is left to it. The block of numbers is taken once all runs are held, so that
// it is greater than any with which one of them was released. $3 how many, $4 whether those that do not rest too, $5 the
// change that a migration is.
constexpr auto kClaim = R"sql(
WITH me AS (SELECT l.labels::jsonb || jsonb_build_object('name', n.name) AS labels, l.offers FROM godwit.lease l JOIN godwit.node n ON n.id = l.node
            WHERE l.node = $1 AND n.epoch = $2),
picked AS (
  SELECT p.run FROM me, godwit.lease g CROSS JOIN LATERAL (
    SELECT o.run FROM godwit.open_run o JOIN godwit.run r ON r.id = o.run
    WHERE o.node = g.node AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = o.run)
      AND ($4 OR EXISTS (SELECT FROM godwit.rest t WHERE t.run = o.run AND t.resting = 1))
      AND (r.options IS NULL OR NOT EXISTS (SELECT FROM json_each_text(r.options::json -> 'labels') x
        WHERE x.key LIKE 'node.%' AND x.value IS DISTINCT FROM me.labels ->> substr(x.key, 6)))
      AND NOT EXISTS (
        SELECT FROM json_each(coalesce((SELECT c.detail::json ->> 'pins' FROM godwit.run_change c WHERE c.run = o.run AND c.change = $5
          ORDER BY c.seq DESC LIMIT 1), r.pins)::json) p
        WHERE CASE WHEN p.key = '*' THEN EXISTS (SELECT FROM json_object_keys(p.value -> 'versions') plugin
            WHERE NOT EXISTS (SELECT FROM unnest(me.offers) offer WHERE starts_with(offer, plugin || ' ')))
          ELSE ((p.value ->> 'plugin') || ' ' || (p.value ->> 'version') = ANY (me.offers)) IS NOT TRUE END)
    ORDER BY o.run LIMIT $3 FOR UPDATE OF o SKIP LOCKED) p
  WHERE g.until = '-infinity' LIMIT $3 FOR SHARE OF g SKIP LOCKED),
block AS MATERIALIZED (SELECT nextval('godwit.fact_block') AS number FROM (SELECT count(*) AS runs FROM picked) p WHERE p.runs > 0),
moved AS (UPDATE godwit.open_run o SET node = $1, block = block.number FROM picked, block WHERE o.run = picked.run RETURNING o.run))sql";

// What was taken after block $2, by a statement whose answer was lost.
constexpr auto kTakenSince = R"sql(
WITH block AS MATERIALIZED (SELECT nextval('godwit.fact_block') AS number),
moved AS (SELECT o.run FROM godwit.open_run o WHERE o.node = $1 AND o.block > $2
  AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = o.run)))sql";

// The runs that are this node's now, `moved`, as far as the engine wants to know them.
constexpr auto kMoved = R"sql(
SELECT m.run, coalesce(t.resting = 1, false), {}, CASE WHEN godwit.is_ranked(r.options) THEN r.options END, r.submitted_at,
  godwit.is_ranked(r.options) AND (EXISTS (SELECT FROM godwit.step s WHERE s.run = m.run)
    OR EXISTS (SELECT FROM godwit.attempt a WHERE a.run = m.run) OR EXISTS (SELECT FROM godwit.wait w WHERE w.run = m.run)), {},
  (SELECT number FROM block)
FROM moved m JOIN godwit.run r ON r.id = m.run LEFT JOIN godwit.rest t ON t.run = m.run ORDER BY m.run)sql";

constexpr auto kClaimOne = R"sql(
WITH gone AS (SELECT g.node FROM godwit.lease g JOIN godwit.open_run o ON o.node = g.node WHERE o.run = $2 AND g.until = '-infinity'
              FOR UPDATE OF o FOR SHARE OF g)
UPDATE godwit.open_run SET node = $1, block = nextval('godwit.fact_block') FROM gone WHERE run = $2)sql";

bool is_fenced(pqxx::work& work, const NodeSeat& seat) {
  return work.exec_params(kFence, seat.node, seat.epoch).empty();
}

std::string moved_statement() {
  return fmt::format(kMoved, kWakeAt, kWaitsForLock);
}

ClaimedRuns claimed_runs(const pqxx::result& rows) {
  ClaimedRuns claimed;
  for (const auto& row : rows) {
    auto& run = claimed.runs.emplace_back();
    run.run = run_id(row[0]);
    run.resting = view(row[1]) == "t";
    run.submitted_at = instant(row[4]);
    run.begun = view(row[5]) == "t";
    run.for_lock = run.resting && view(row[6]) == "t";
    if (run.resting && !row[2].is_null()) run.wake_at = instant(row[2]);
    if (!row[3].is_null()) run.options = text(row[3]);
    claimed.block = integer(row[7]);
  }
  return claimed;
}

constexpr auto kNewBlock = "SELECT nextval('godwit.fact_block')";

std::int64_t new_block(pqxx::work& work) {
  return work.exec1(kNewBlock)[0].as<std::int64_t>();
}

engine::QuotaAsk ask_of(const pqxx::row& row) {
  engine::QuotaAsk ask;
  ask.name = text(row[0]);
  ask.held = integer(row[2]);
  ask.wanted = integer(row[3]);
  ask.need = integer(row[4]);
  if (!row[5].is_null()) ask.since = instant(row[5]);
  return ask;
}

// What all nodes say of these limits, by limit and node.
using Asks = std::map<std::string, std::map<int, engine::QuotaAsk>>;
Asks all_asks(pqxx::work& work) {
  Asks asks;
  for (const auto& row : work.exec("SELECT name, node, held, wanted, need, since FROM godwit.quota"))
    asks[text(row[0])][row[1].as<int>()] = ask_of(row);
  return asks;
}

void store_asks(pqxx::work& work, const NodeSeat& seat, const std::vector<engine::QuotaAsk>& asks) {
  ArrayColumn names(ColumnType::text), held(ColumnType::bigint), wanted(ColumnType::bigint), need(ColumnType::bigint),
      since(ColumnType::timestamptz);
  for (const auto& ask : asks) {
    names.add(ask.name);
    held.add(ask.held);
    wanted.add(ask.wanted);
    need.add(ask.need);
    ask.since ? since.add(*ask.since) : since.add_null();
  }
  work.exec_params0("DELETE FROM godwit.quota WHERE node = $1 AND NOT name = ANY ($2::text[])", seat.node,
                    parameter(names));
  work.exec_params0(
      "INSERT INTO godwit.quota AS q (node, name, held, wanted, need, since) SELECT $1, u.* FROM unnest($2::text[], "
      "$3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[]) u (name, held, wanted, need, since) "
      "ON CONFLICT (name, node) DO UPDATE SET held = excluded.held, wanted = excluded.wanted, need = excluded.need, "
      "since = "
      "excluded.since WHERE (q.held, q.wanted, q.need, q.since) IS DISTINCT FROM (excluded.held, excluded.wanted, "
      "excluded.need, excluded.since)",
      seat.node, parameter(names), parameter(held), parameter(wanted), parameter(need), parameter(since));
}

}  // namespace

std::int64_t new_block(Connection& connection) {
  return connection.exec(kNewBlock)[0][0].as<std::int64_t>();
}

ClaimedRuns claim_runs(Connection& connection, const NodeSeat& seat, std::size_t limit, bool with_active) {
  ClaimedRuns claimed;
  connection.transaction([&](pqxx::work& work) {
    claimed = {};
    if (work.exec_params(kClaimFence, seat.node, seat.epoch).empty()) return;
    claimed = claimed_runs(work.exec_params(kClaim + moved_statement(), seat.node, seat.epoch, limit, with_active,
                                            static_cast<int>(engine::RunChange::migrated)));
  });
  return claimed;
}

ClaimedRuns claimed_since(Connection& connection, const NodeSeat& seat, std::int64_t block) {
  ClaimedRuns claimed;
  connection.transaction([&](pqxx::work& work) {
    claimed = {};
    if (work.exec_params(kClaimFence, seat.node, seat.epoch).empty()) return;
    claimed = claimed_runs(work.exec_params(kTakenSince + moved_statement(), seat.node, block));
  });
  return claimed;
}

std::optional<std::int64_t> claim_run(Connection& connection, const NodeSeat& seat, model::RunId run) {
  std::optional<std::int64_t> block;
  connection.transaction([&](pqxx::work& work) {
    block.reset();
    if (is_fenced(work, seat)) return;
    work.exec_params0(kClaimOne, seat.node, model::number(run));
    if (work.exec_params1("SELECT godwit.owner($1)", model::number(run))[0].as<int>(-1) == seat.node)
      block = new_block(work);
  });
  return block;
}

void release_runs_but(Connection& connection, const NodeSeat& seat, const std::vector<model::RunId>& kept,
                      std::int64_t block) {
  std::vector<std::int64_t> numbers;
  for (const auto run : kept) numbers.push_back(model::number(run));
  connection.transaction([&](pqxx::work& work) {
    if (is_fenced(work, seat)) return;
    work.exec_params1("SELECT godwit.fold_runs($1)", seat.node);
    work.exec_params0(
        "UPDATE godwit.open_run SET node = 0 WHERE node = $1 AND block < $3 AND NOT run = ANY ($2::bigint[])", seat.node,
        array_of(numbers), block);
    work.exec0(kRing);
  });
}

engine::Owner find_owner(Connection& connection, const NodeSeat& seat, model::RunId run) {
  const auto rows = connection.query(
      "SELECT n.id, n.name, l.until = '-infinity' FROM godwit.node n LEFT JOIN godwit.lease l ON l.node = n.id WHERE "
      "n.id = "
      "godwit.owner($1) AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = $1)",
      model::number(run));
  if (rows.empty()) return {};
  if (rows[0][0].as<int>() == seat.node) return {engine::Owner::mine, text(rows[0][1])};
  if (rows[0][2].as<bool>(true)) return {engine::Owner::nobody, {}};
  return {engine::Owner::other, text(rows[0][1])};
}

std::vector<engine::Mail> read_mail(Connection& connection, const NodeSeat& seat, std::size_t limit) {
  std::vector<engine::Mail> mail;
  for (const auto& row :
       connection.query("SELECT m.number, m.run, m.body FROM godwit.mail m WHERE m.answer IS NULL AND "
                        "godwit.owner(m.run) = $1 ORDER BY m.number LIMIT $2",
                        seat.node, limit)) {
    mail.push_back({integer(row[0]), run_id(row[1]), {}});
    if (!row[2].is_null()) mail.back().body = text(row[2]);
  }
  return mail;
}

void send_mail(Connection& connection, const engine::Mail& mail) {
  connection.transaction([&](pqxx::work& work) {
    work.exec_params0("INSERT INTO godwit.mail (number, run, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                      mail.number, model::number(mail.run), mail.body);
    work.exec0(kRing);
  });
}

void tell_about(Connection& connection, model::RunId run) {
  connection.transaction([&](pqxx::work& work) {
    work.exec_params0("INSERT INTO godwit.mail (run) VALUES ($1)", model::number(run));
    work.exec0(kRing);
  });
}

void answer_mail(Connection& connection, std::int64_t number, const std::optional<std::string>& answer) {
  if (!answer) {
    connection.query("DELETE FROM godwit.mail WHERE number = $1", number);
    return;
  }
  connection.transaction([&](pqxx::work& work) {
    work.exec_params0("UPDATE godwit.mail SET answer = $2 WHERE number = $1", number, *answer);
    work.exec0(kRing);
  });
}

std::vector<std::pair<std::int64_t, std::string>> take_answers(Connection& connection,
                                                               const std::vector<std::int64_t>& numbers) {
  std::vector<std::pair<std::int64_t, std::string>> answers;
  for (const auto& row : connection.query(
           "DELETE FROM godwit.mail WHERE number = ANY ($1::bigint[]) AND answer IS NOT NULL RETURNING number, answer",
           array_of(numbers)))
    answers.emplace_back(integer(row[0]), text(row[1]));
  return answers;
}

std::optional<std::string> withdraw_mail(Connection& connection, std::int64_t number) {
  const auto rows = connection.query("DELETE FROM godwit.mail WHERE number = $1 RETURNING answer", number);
  if (rows.empty() || rows[0][0].is_null()) return std::nullopt;
  return text(rows[0][0]);
}

void ring(Connection& connection) {
  connection.exec(kRing);
}

engine::Cluster::Division divide_limits(Connection& connection, const NodeSeat& seat, std::int64_t round,
                                        const std::vector<engine::QuotaAsk>& asks, bool whole) {
  engine::Cluster::Division division;
  connection.transaction([&](pqxx::work& work) {
    division = {};
    // One after the other, so that each sees what all hold.
    work.exec1("SELECT pg_advisory_xact_lock(hashtext('godwit.quota'))");
    const auto mine = work.exec_params(
        "UPDATE godwit.lease SET round = $3, whole = $4 AND NOT EXISTS (SELECT FROM godwit.lease WHERE node <> $1 AND "
        "until > "
        "'-infinity') WHERE node = $1 AND epoch = $2 AND round < $3 AND until > now() RETURNING whole",
        seat.node, seat.epoch, round, whole);
    if (mine.empty()) throw base::Error(base::ErrorKind::unavailable, "this round is over, or the lease is");
    division.whole = mine[0][0].as<bool>();
    store_asks(work, seat, division.whole ? std::vector<engine::QuotaAsk>() : asks);
    if (division.whole) return;
    // Who had all to himself has not yet said how much of it he needs.
    const bool taken =
        !work.exec_params("SELECT FROM godwit.lease WHERE whole AND node <> $1 AND until > '-infinity'", seat.node)
             .empty();
    const auto all = all_asks(work);
    std::vector<engine::QuotaAsk> changed = asks;
    for (auto& ask : changed) {
      const auto grant =
          taken ? engine::QuotaGrant{ask.held, ask.held} : engine::grant_quota(ask.total, seat.node, all.at(ask.name));
      division.grants[ask.name] = grant;
      ask.held = grant.held;
    }
    store_asks(work, seat, changed);
  });
  return division;
}

base::json::array list_nodes(Connection& connection) {
  base::json::array nodes;
  for (const auto& row : connection.exec(
           "SELECT v.node, v.state, v.draining, v.labels, v.renewed_at, v.lease_until, v.version, v.started_at, "
           "array_to_json(v.plugins), (SELECT count(*) FROM godwit.open_run o JOIN godwit.node n ON n.id = o.node "
           "WHERE n.name = "
           "v.node AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = o.run)) + (SELECT count(*) FROM "
           "godwit.run r JOIN "
           "godwit.node n ON n.id = r.node WHERE n.name = v.node AND r.number > coalesce((SELECT f.number FROM "
           "godwit.fold f WHERE "
           "f.node = n.id), 0) AND NOT EXISTS (SELECT FROM godwit.open_run o WHERE o.run = r.id) AND NOT EXISTS "
           "(SELECT FROM "
           "godwit.run_done d WHERE d.run = r.id)) FROM godwit.nodes v ORDER BY v.node"))
    nodes.push_back(base::json::object{{"node", text(row[0])},
                                       {"state", text(row[1])},
                                       {"draining", view(row[2]) == "t"},
                                       {"runs", integer(row[9])},
                                       {"labels", json_value(row[3])},
                                       {"plugins", json_value(row[8])},
                                       {"renewed_at", json_instant(row[4])},
                                       {"lease_until", json_instant(row[5])},
                                       {"version", text(row[6])},
                                       {"started_at", json_instant(row[7])}});
  return nodes;
}

void set_draining(Connection& connection, const NodeSeat& seat, const std::string& node, bool draining,
                  const engine::Audited& audited) {
  connection.transaction([&](pqxx::work& work) {
    const auto changed = work.exec_params(
        "UPDATE godwit.lease l SET draining = $2 FROM godwit.node n WHERE n.id = l.node AND n.name = $1 AND n.id <> 0 "
        "RETURNING 1",
        node, draining);
    if (changed.empty())
      throw base::not_found("there is no node '" + node + "'", "`godwit node list` shows what there is");
    // The journal's own way of writing it would be another transaction.
    work.exec_params0(
        "INSERT INTO godwit.audit (number, at, uid, who, command, target, detail) SELECT nextval('godwit.fact_block') "
        "<< 30, "
        "now(), $2, $3, $4, $5, $6 FROM godwit.node WHERE id = $1",
        seat.node, audited.uid, audited.who, audited.command, audited.target, audited.detail);
    work.exec0(kRing);
  });
}

}  // namespace godwit::store
