#include "store/history_queries.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/json_text.hpp"
#include "store/array_column.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

namespace json = base::json;
using model::RunState;

// One answer of the control socket carries 8 MiB. Longer parameters and results are told of by their size, and a page
// of log lines ends with the one that passes its bound.
constexpr std::size_t kParamsMax = 4u << 20;
constexpr std::size_t kResultMax = 6u << 20;
constexpr std::size_t kLogPageMax = 2u << 20;

// No text of PostgreSQL is longer.
constexpr std::uint64_t kOutputSizeMax = 1u << 30;

// The rows a list shows are first found by number, the highest first, by the query that is cheap for the filter; $1 job
// or '', $2 first number not wanted, $3 how many, $4 labels as a JSON object. Only then is the view asked, about these.
constexpr auto kAnyRuns = R"sql(
(SELECT id FROM godwit.run WHERE id < $2 AND ($1 = '' OR job = $1)
   AND ($4 = '{}' OR (options::jsonb -> 'labels') @> $4::jsonb) ORDER BY id DESC LIMIT $3)
UNION (SELECT run FROM godwit.inbox WHERE run < $2 AND ($1 = '' OR job = $1) AND $4 = '{}' ORDER BY run DESC LIMIT $3))sql";

constexpr auto kEndedRuns = R"sql(
(SELECT d.run FROM godwit.run_done d WHERE d.state = {} AND d.run < $2
   AND (($1 = '' AND $4 = '{{}}') OR EXISTS (SELECT FROM godwit.run r WHERE r.id = d.run AND ($1 = '' OR r.job = $1)
     AND ($4 = '{{}}' OR (r.options::jsonb -> 'labels') @> $4::jsonb))) ORDER BY d.run DESC LIMIT $3))sql";

constexpr auto kOpenRuns = R"sql(
(SELECT o.run FROM godwit.node n CROSS JOIN LATERAL (
   (SELECT o.run FROM godwit.open_run o WHERE o.node = n.id AND o.run < $2
      AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = o.run)
      AND (($1 = '' AND $4 = '{}') OR EXISTS (SELECT FROM godwit.run r WHERE r.id = o.run AND ($1 = '' OR r.job = $1)
        AND ($4 = '{}' OR (r.options::jsonb -> 'labels') @> $4::jsonb))) ORDER BY o.run DESC LIMIT $3)
   UNION
   (SELECT r.id FROM godwit.run r WHERE r.node = n.id AND r.id < $2 AND ($1 = '' OR r.job = $1)
      AND ($4 = '{}' OR (r.options::jsonb -> 'labels') @> $4::jsonb)
      AND r.number > coalesce((SELECT f.number FROM godwit.fold f WHERE f.node = n.id), 0)
      AND NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = r.id) ORDER BY r.id DESC LIMIT $3)) o (run))
UNION (SELECT run FROM godwit.inbox WHERE run < $2 AND ($1 = '' OR job = $1) AND $4 = '{}' ORDER BY run DESC LIMIT $3))sql";

constexpr auto kHeldRuns = R"sql(
(SELECT v.run FROM godwit.runs v WHERE v.state = '{}' AND v.run < $2 AND ($1 = '' OR v.job = $1)
   AND ($4 = '{{}}' OR (v.options::jsonb -> 'labels') @> $4::jsonb) AND v.run IN (
   SELECT c.run FROM godwit.run_change c WHERE NOT EXISTS (SELECT FROM godwit.run_done d WHERE d.run = c.run))
 ORDER BY v.run DESC LIMIT $3))sql";

std::string candidates(const std::optional<RunState>& state) {
  if (!state) return kAnyRuns;
  if (model::is_terminal(*state)) return fmt::format(kEndedRuns, static_cast<int>(*state));
  if (*state == RunState::paused || *state == RunState::blocked) return fmt::format(kHeldRuns, model::name(*state));
  return kOpenRuns;
}

// To be completed by more columns and a condition.
constexpr auto kRuns =
    "SELECT run, job, version, state, cancel_requested, key, submitted_by, submitted_at, finished_at, "
    "progress, error, failed_step, "
    "retry_of, pins, node, parent, options{} FROM godwit.runs WHERE {}";

// A document that is at most $2 bytes long, and the length of one that is longer.
constexpr auto kBounded =
    "CASE WHEN octet_length({0}::text) <= $2 THEN {0} END, CASE WHEN octet_length({0}::text) > $2 THEN "
    "octet_length({0}::text) END";

// Turns columns into members of the same name.
using ToJson = json::value (*)(const pqxx::field&);
json::value json_integer(const pqxx::field& field) {
  if (field.is_null()) return nullptr;
  return integer(field);
}
json::value json_bool(const pqxx::field& field) {
  return view(field) == "t";
}

struct Member {
  std::string_view name;
  ToJson read;
};
constexpr std::array kRunMembers{
    Member{"run", json_integer},
    Member{"job", json_text},
    Member{"version", json_text},
    Member{"state", json_text},
    Member{"cancel_requested", json_bool},
    Member{"key", json_text},
    Member{"submitted_by", json_text},
    Member{"submitted_at", json_instant},
    Member{"finished_at", json_instant},
    Member{"progress", json_value},
    Member{"error", json_value},
    Member{"failed_step", json_text},
    Member{"retry_of", json_integer},
    Member{"pins", json_value},
    Member{"node", json_text},
    Member{"parent", json_integer},
    Member{"options", json_value},
};
constexpr std::array kStepMembers{
    Member{"path", json_text},    Member{"state", json_text},         Member{"attempt", json_integer},
    Member{"error", json_value},  Member{"started_at", json_instant}, Member{"finished_at", json_instant},
    Member{"output", json_value},
};
// Of an output that is an artifact, which is not shown itself.
constexpr std::array kOutputMembers{Member{"artifact", json_text}, Member{"size", json_integer}};

template <std::size_t N>
json::object object(const pqxx::row& row, const std::array<Member, N>& members, std::size_t count = N,
                    std::size_t first_column = 0) {
  json::object object;
  for (std::size_t i = 0; i < count; ++i)
    object[members[i].name] = members[i].read(row[static_cast<pqxx::row::size_type>(first_column + i)]);
  return object;
}

template <std::size_t N>
json::array objects(const pqxx::result& rows, const std::array<Member, N>& members) {
  json::array array;
  for (const auto& row : rows) array.push_back(object(row, members));
  return array;
}

base::Error no_run(model::RunId run) {
  return base::not_found("there is no run " + model::text(run), "`godwit list` shows the newest ones");
}

// For what has found nothing of a run: that may be all there is to say of it.
void require_run(Connection& connection, model::RunId run) {
  if (connection.query("SELECT run FROM godwit.runs WHERE run = $1", model::number(run)).empty()) throw no_run(run);
}

// Puts the document in the columns of kBounded from `column` on into `object`: as NAME, or as NAME_bytes.
void add_bounded(json::object& object, const pqxx::row& row, const std::string& name, pqxx::row::size_type column) {
  if (row[column + 1].is_null())
    object[name] = json_value(row[column]);
  else
    object[name + "_bytes"] = json_integer(row[column + 1]);
}

json::array changes(Connection& connection, model::RunId run) {
  json::array array;
  for (const auto& row : connection.query(
           "SELECT change, who, detail, path, at, sides FROM godwit.run_change WHERE run = $1 ORDER BY seq",
           model::number(run))) {
    json::object change{{"change", engine::kRunChanges.at(static_cast<std::size_t>(integer(row[0])))},
                        {"who", json_text(row[1])},
                        {"detail", json_text(row[2])},
                        {"path", json_text(row[3])},
                        {"at", json_instant(row[4])}};
    if (!row[5].is_null()) change["sides"] = json_value(row[5]);
    array.push_back(std::move(change));
  }
  return array;
}

}  // namespace

json::array list_runs(Connection& connection, const engine::RunFilter& filter) {
  const auto before = filter.before ? model::number(*filter.before) : std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> runs;
  for (const auto& row : connection.query(
           fmt::format("SELECT * FROM ({}) AS c (run) ORDER BY run DESC LIMIT $3", candidates(filter.state)),
           filter.job, before, filter.limit, base::serialize(json::value_from(filter.labels))))
    runs.push_back(integer(row[0]));
  if (runs.empty()) return {};
  return objects(connection.query(fmt::format(kRuns, "", "run = ANY ($1::bigint[]) ORDER BY run DESC"), array_of(runs)),
                 kRunMembers);
}

json::object show_run(Connection& connection, model::RunId run) {
  const auto rows = connection.query(fmt::format(kRuns, ", " + fmt::format(kBounded, "params"), "run = $1"),
                                     model::number(run), kParamsMax);
  if (rows.empty()) throw no_run(run);
  auto shown = object(rows[0], kRunMembers);
  add_bounded(shown, rows[0], "params", static_cast<pqxx::row::size_type>(kRunMembers.size()));
  shown["changes"] = changes(connection, run);
  shown["emitted"] =
      integer(connection.query("SELECT count(*) FROM godwit.emitted_row WHERE run = $1", model::number(run))[0][0]);
  return shown;
}

json::object list_steps(Connection& connection, model::RunId run, std::size_t offset, std::size_t limit,
                        bool with_output) {
  const auto rows = connection.query(
      fmt::format("SELECT s.path, s.state, s.attempt, s.error, s.started_at, s.finished_at{} ORDER BY s.finished_at, "
                  "s.path OFFSET $2 LIMIT $3",
                  with_output ? ", CASE WHEN a.run IS NULL THEN s.output END, 'sha256:' || a.sha256, a.size FROM "
                                "godwit.steps s LEFT JOIN godwit.artifact a ON a.run = s.run AND a.path = s.path AND "
                                "a.in_step = 1 WHERE s.run = $1"
                              : " FROM godwit.steps s WHERE s.run = $1"),
      model::number(run), offset, limit + 1);
  if (rows.empty()) require_run(connection, run);
  json::array steps;
  for (const auto& row : rows) {
    if (steps.size() == limit) break;
    json::object step = object(row, kStepMembers, kStepMembers.size() - (with_output ? 0 : 1));
    if (with_output && !row[static_cast<pqxx::row::size_type>(kStepMembers.size())].is_null()) {
      step.erase("output");
      step["output_artifact"] = object(row, kOutputMembers, kOutputMembers.size(), kStepMembers.size());
    }
    steps.push_back(std::move(step));
  }
  return {{"steps", std::move(steps)}, {"more", static_cast<std::size_t>(rows.size()) > limit}};
}

json::array read_logs(Connection& connection, model::RunId run, std::int64_t after, std::size_t limit) {
  // A line counts as long as it is in JSON, where some characters take six.
  const auto rows = connection.query(
      "SELECT number, at, (ARRAY['debug', 'info', 'warning', 'error'])[level + 1], path, stream, line, fields FROM "
      "(SELECT *, sum(octet_length(to_json(line)::text) + octet_length(path) + coalesce(octet_length(fields), 0)) OVER "
      "(ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ahead FROM godwit.log "
      "WHERE run = $1 AND number > $2 ORDER BY number LIMIT $3) l WHERE coalesce(ahead, 0) < $4 ORDER BY number",
      model::number(run), after, limit, kLogPageMax);
  if (rows.empty()) require_run(connection, run);
  constexpr std::array kMembers{Member{"seq", json_integer}, Member{"at", json_instant},  Member{"level", json_text},
                                Member{"path", json_text},   Member{"stream", json_text}, Member{"text", json_text},
                                Member{"fields", json_value}};
  return objects(rows, kMembers);
}

json::object read_result(Connection& connection, model::RunId run) {
  // One statement, so that a run which ends just now is not told as ended without its result.
  const auto rows = connection.query(fmt::format("SELECT r.state, {}, d.failure, d.failed_path FROM godwit.runs r LEFT "
                                                 "JOIN godwit.run_done d ON d.run = r.run WHERE r.run = $1",
                                                 fmt::format(kBounded, "d.result")),
                                     model::number(run), kResultMax);
  if (rows.empty()) throw no_run(run);
  json::object outcome{{"state", json_text(rows[0][0])}};
  add_bounded(outcome, rows[0], "result", 1);
  auto& error = outcome["error"] = json_value(rows[0][3]);
  if (auto* failure = error.if_object(); failure && !rows[0][4].is_null()) (*failure)["path"] = json_text(rows[0][4]);
  return outcome;
}

json::array list_fires(Connection& connection, const std::string& schedule, std::size_t limit) {
  constexpr std::array kMembers{Member{"schedule", json_text}, Member{"instant", json_instant},
                                Member{"run", json_integer}, Member{"why", json_text}, Member{"at", json_instant}};
  return objects(connection.query("SELECT schedule, instant, run, why, at FROM godwit.fires WHERE schedule = $1 OR $1 = '' "
                                  "ORDER BY instant DESC, schedule LIMIT $2",
                                  schedule, limit),
                 kMembers);
}

json::array list_artifacts(Connection& connection, std::optional<model::RunId> run, std::size_t limit) {
  constexpr std::array kMembers{Member{"artifact", json_text},    Member{"name", json_text},
                                Member{"media_type", json_text},  Member{"size", json_integer},
                                Member{"run", json_integer},      Member{"path", json_text},
                                Member{"stored_at", json_instant}};
  return objects(
      connection.query("SELECT 'sha256:' || a.sha256, a.name, a.media_type, a.size, a.run, a.path, a.stored_at FROM "
                       "godwit.artifact a WHERE ($1::bigint IS NULL OR a.run = $1) AND (a.in_step = 0 OR EXISTS (SELECT "
                       "FROM godwit.step s WHERE s.run = a.run AND s.path = a.path)) ORDER BY a.number DESC LIMIT $2",
                       run ? std::optional(model::number(*run)) : std::nullopt, limit),
      kMembers);
}

json::object read_artifact(Connection& connection, const std::string& sha256, std::uint64_t offset,
                           std::size_t size) {
  constexpr std::array kMembers{Member{"size", json_integer}, Member{"base64", json_text}};
  // A piece begins behind the end at most, which no number of this type misses.
  const auto begin = static_cast<std::int64_t>(std::min<std::uint64_t>(offset, kOutputSizeMax)) + 1;
  const auto rows = connection.query(
      "SELECT a.size, translate(encode(substring(convert_to(s.output, 'UTF8') FROM $2::int FOR $3::int), 'base64'), "
      "E'\n', ''), a.in_step, n.name FROM godwit.artifact a LEFT JOIN godwit.step s ON a.in_step = 1 AND s.run = a.run "
      "AND s.path = a.path LEFT JOIN godwit.run r ON r.id = a.run LEFT JOIN godwit.node n ON n.id = r.node "
      "WHERE a.sha256 = $1 ORDER BY s.run IS NULL LIMIT 1",
      sha256, begin, size);
  if (!rows.empty() && !rows[0][1].is_null()) return object(rows[0], kMembers);
  std::string what = "there is no artifact sha256:" + sha256;
  if (!rows.empty() && rows[0][2].as<int>() == 0)
    what = "the file of the artifact sha256:" + sha256 + " is not on this node";
  const std::string node = rows.empty() || rows[0][3].is_null() ? "" : text(rows[0][3]);
  throw base::not_found(what, node.empty() ? "`godwit artifact list` shows what there is"
                                           : "the run that made it was on the node '" + node + "'");
}

std::vector<std::string> unknown_files(Connection& connection, const std::vector<std::string>& sha256) {
  ArrayColumn asked(ColumnType::text);
  for (const auto& one : sha256) asked.add(one);
  std::vector<std::string> unknown;
  for (const auto& row : connection.query("SELECT u FROM unnest($1::text[]) u WHERE NOT EXISTS (SELECT FROM "
                                          "godwit.artifact a WHERE a.sha256 = u AND a.in_step = 0)",
                                          parameter(asked)))
    unknown.push_back(text(row[0]));
  return unknown;
}

json::array list_audit(Connection& connection, std::size_t limit) {
  constexpr std::array kMembers{Member{"at", json_instant},  Member{"uid", json_integer},
                                Member{"who", json_text},    Member{"command", json_text},
                                Member{"target", json_text}, Member{"detail", json_value}};
  return objects(
      connection.query("SELECT at, uid, who, command, target, detail FROM godwit.audit ORDER BY number DESC LIMIT $1",
                       limit),
      kMembers);
}

}  // namespace godwit::store
