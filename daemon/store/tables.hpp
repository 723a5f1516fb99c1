#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace godwit::store {

// The column types the journal writes; see ArrayColumn for how they travel.
enum class ColumnType { smallint, integer, bigint, text, timestamptz };
struct ColumnTypeInfo {
  ColumnType type;
  std::string_view name;
  std::int32_t oid;   // of the element, as PostgreSQL's catalog has it since ever
  std::int32_t size;  // in binary; 0 for text
};
const ColumnTypeInfo& info(ColumnType type);

// One kind of rows that a batch may bring; most are tables, see TableInfo::target.
enum class Rows {
  job_version,
  run,
  plain_run,
  run_key,
  run_unique,
  unique_moved,
  inbox_taken,
  copied_step,
  copied_artifact,
  attempt,
  step,
  emitted,
  checkpoint,
  wait,
  signal,
  signal_inbox_taken,
  signal_taken,
  rest,
  released,
  mail,
  cursor,
  folded_step,
  folded_attempt,
  folded_wait,
  lock_released,
  run_change,
  run_done,
  unique_done,
  locks_done,
  locks_closed,
  expiry,
  limit_setting,
  queue_setting,
  schedule,
  fire,
  fire_made_up,
  fire_skipped,
  audit,
  artifact,
  progress,
  log
};
inline constexpr std::size_t kRowsCount = static_cast<std::size_t>(Rows::log) + 1;

struct Column {
  std::string_view name;
  ColumnType type;
};
struct TableInfo {
  Rows rows;
  std::string_view name;
  std::span<const Column> columns;
  // The statement with `{}` for "(SELECT unnest($3::bigint[]), ...) AS u"; it must read from the CTE `fence`.
  std::string_view statement;
  // What is added when these rows may already be there because an earlier attempt was cut off.
  std::string_view repeated;
};
const TableInfo& info(Rows rows);

// Which kinds of rows a statement writes: bit n stands for Rows(n).
using RowsMask = std::uint64_t;
inline RowsMask bit(Rows rows) {
  return RowsMask(1) << static_cast<unsigned>(rows);
}

// How a statement of the journal differs from others with the same rows.
struct StatementForm {
  RowsMask mask = 0;
  bool repeated = false;  // rows that are there already are passed over
  bool relaxed = false;   // the commit does not wait for the disk
  bool operator==(const StatementForm&) const = default;
  std::string name() const;
};
// Each costs the server some hundred kilobytes in each session, and a busy daemon meets hundreds of mixtures.
inline constexpr std::size_t kFormsMax = 100;
// The form in which a session writes such rows that knows so many others: past the bound it is one for all kinds, most of
// which bring none.
StatementForm bounded(StatementForm form, std::size_t others);

// One statement that locks the node's row if its epoch is still ours ($1 node, $2 epoch), and if so writes the rows.
// Gives the number of node rows: 1, or 0 when another process took the node's place. Parameters from $3 on: the columns
// of each kind in order, as arrays.
std::string journal_statement(const StatementForm& form);

}  // namespace godwit::store
