#include "store/sql_step.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "store/batch.hpp"
#include "store/trouble.hpp"
#include "store/values.hpp"

namespace godwit::store {
namespace {

namespace json = base::json;

constexpr std::size_t kRowsMax = 10'000;
constexpr std::size_t kOutputMax = 4u << 20;
constexpr auto kTimeout = std::chrono::minutes(5);

// What a step may say first. Nothing that ends the transaction or outlives it in the session.
constexpr std::array<std::string_view, 10> kFirstWords{"select", "insert",   "update", "delete", "merge",
                                                       "with",   "truncate", "values", "create", "refresh"};

// The first word, past comments; in lower case.
std::string first_word(std::string_view sql) {
  for (;;) {
    sql.remove_prefix(std::min(sql.find_first_not_of(" \t\r\n("), sql.size()));
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    } else if (sql.starts_with("/*")) {
      const auto end = sql.find("*/");
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    } else {
      break;
    }
  }
  std::string word;
  for (const char c : sql) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower < 'a' || lower > 'z') break;
    word += lower;
  }
  return word;
}

void check_statement(const std::string& sql) {
  const std::string word = first_word(sql);
  if (std::find(kFirstWords.begin(), kFirstWords.end(), word) != kFirstWords.end()) return;
  throw base::refused("the statement begins with '" + word + "', which cannot be part of a step's transaction", {},
                      "select, insert, update, delete, merge, with, values, truncate, create and refresh can");
}

// JSON texts as PostgreSQL reads untyped parameters; null is NULL.
std::vector<std::optional<std::string>> parameter_texts(const std::vector<std::string>& parameters) {
  std::vector<std::optional<std::string>> texts;
  for (const auto& parameter : parameters) {
    const json::value value = base::parse_json(parameter);
    if (value.is_null())
      texts.emplace_back();
    else if (const auto* text = value.if_string())
      texts.emplace_back(std::string(*text));
    else
      texts.emplace_back(parameter);
    if (texts.back() && texts.back()->find('\0') != std::string::npos)
      throw base::refused(
          fmt::format("parameter ${} holds a zero byte, which the database cannot store", texts.size()));
  }
  return texts;
}

json::value value_of(const pqxx::field& field, pqxx::oid type) {
  if (field.is_null()) return nullptr;
  switch (type) {
    case 16:  // boolean
      return view(field) == "t";
    case 20:  // the integers and floats
    case 21:
    case 23:
    case 26:
    case 700:
    case 701:
    case 114:  // json and jsonb
    case 3802:
      return json_value(field);
    default:
      return json::string(view(field));
  }
}

std::string output_of(const pqxx::result& result) {
  if (result.size() > kRowsMax)
    throw base::refused(fmt::format("the statement gave {} rows, a step keeps {} at most", result.size(), kRowsMax), {},
                        "give it a LIMIT, or write the rows into a table");
  json::array rows;
  std::size_t bytes = 0;
  for (const auto& row : result) {
    json::object object;
    for (const auto& field : row) {
      bytes += field.size();
      object[field.name()] = value_of(field, result.column_type(field.num()));
    }
    rows.push_back(std::move(object));
    if (bytes > kOutputMax)
      throw base::refused(fmt::format("the statement gave more than {} MiB", kOutputMax >> 20), {}, "give it a LIMIT");
  }
  const auto count = result.columns() > 0 ? std::uint64_t(result.size()) : std::uint64_t(result.affected_rows());
  return base::serialize(json::object{{"count", count}, {"rows", std::move(rows)}});
}

pqxx::result run_statement(pqxx::work& work, const engine::SqlStep& step) {
  const auto timeout = step.timeout.count() > 0 ? step.timeout : base::Duration(kTimeout);
  work.exec0(
      fmt::format("SET LOCAL statement_timeout = {}",
                  std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count())));
  const auto texts = parameter_texts(step.parameters);
  std::vector<const char*> pointers;
  for (const auto& text : texts) pointers.push_back(text ? text->c_str() : nullptr);
  return work.exec_params(step.statement, pqxx::prepare::make_dynamic_params(pointers));
}

// The step is there already: an attempt whose connection was lost went on at the server, and was faster.
struct Recorded {};

void record(pqxx::work& work, const NodeSeat& seat, const engine::StepDone& done) {
  FactNumbers numbers;
  Batch batch(numbers);
  batch.add(done);
  batch.finish();
  std::vector<pqxx::binarystring> values;
  for (auto* column : batch.columns()) values.push_back(parameter(*column));
  pqxx::result rows;
  try {
    rows = work.exec_params(journal_statement({.mask = batch.mask()}), seat.node, seat.epoch,
                            pqxx::prepare::make_dynamic_params(values));
  } catch (const pqxx::unique_violation&) {
    throw Recorded{};
  }
  if (rows[0][0].as<int>() != 1)
    throw base::Error(base::ErrorKind::unavailable, "another godwitd took the place of this node");
}

engine::SqlDone in_transaction(pqxx::work& work, const NodeSeat& seat, const engine::SqlStep& step) {
  const auto earlier = work.exec_params("SELECT output, finished_at FROM godwit.step WHERE run = $1 AND path = $2",
                                        model::number(step.done.run), step.done.path);
  if (!earlier.empty()) return {text(earlier[0][0]), instant(earlier[0][1])};
  engine::StepDone done = step.done;
  done.output = output_of(run_statement(work, step));
  work.exec0("SET LOCAL statement_timeout = 0");
  done.finished_at = std::max(base::now(), step.done.started_at);
  record(work, seat, done);
  return {done.output, done.finished_at};
}

}  // namespace

engine::SqlDone execute_step(Connection& connection, const NodeSeat& seat, const engine::SqlStep& step) {
  check_statement(step.statement);
  try {
    engine::SqlDone done;
    const auto once = [&](pqxx::work& work) { done = in_transaction(work, seat, step); };
    try {
      connection.transaction(once);
    } catch (const Recorded&) {
      // Undone with its effects; what is recorded is read now.
      connection.transaction(once);
    }
    return done;
  } catch (const pqxx::broken_connection& error) {
    // So libpqxx calls a statement with other parameters than it was given, too.
    if (!connection.session().is_open()) throw;
    throw base::refused(describe(error));
  } catch (const pqxx::sql_error& error) {
    // A statement that ran into its time limit is refused as any other; what says "later" is about the moment.
    const bool timed_out = error.sqlstate() == "57014";
    switch (classify(error)) {
      case Trouble::lost:
        throw;
      case Trouble::later:
      case Trouble::locked:
        if (!timed_out) throw base::Error(base::ErrorKind::failed, describe(error));
        [[fallthrough]];
      default:
        throw base::refused(describe(error) + (error.sqlstate().empty() ? "" : " (" + error.sqlstate() + ")"));
    }
  }
}

}  // namespace godwit::store
