#pragma once
#include <string>
#include <vector>

#include "engine/store.hpp"
#include "store/connection.hpp"
#include "store/node_seat.hpp"

namespace godwit::store {

// As engine::Store has them. Who takes a lock is decided under an advisory lock of its name, so that any number of
// nodes may ask. Repeating a take after a cut is safe: what was granted stays so.
std::vector<engine::LockRow> take_lock(Connection& connection, const NodeSeat& seat, const engine::LockRow& wanted);
std::vector<model::RunId> grantable_locks(Connection& connection, const std::vector<std::string>& names);
std::vector<engine::LockRow> read_locks(Connection& connection, const std::string& name);

}  // namespace godwit::store
