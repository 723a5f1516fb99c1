#pragma once
#include <string>

#include "engine/store.hpp"
#include "store/connection.hpp"
#include "store/node_seat.hpp"

namespace godwit::store {

// Runs the step's statement and records the step, both or neither. Repeating it after a cut is safe:
// a step that was recorded gives what was recorded. Throws Error(refused) when the database refuses the statement,
// Error(failed) when another try may go better, and what libpqxx throws when the connection is lost.
engine::SqlDone execute_step(Connection& connection, const NodeSeat& seat, const engine::SqlStep& step);

}  // namespace godwit::store
