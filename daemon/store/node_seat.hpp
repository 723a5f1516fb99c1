#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "store/connection.hpp"

namespace godwit::store {

// This process's place in the store: the right to write as a node, until another process takes it.
struct NodeSeat {
  int node = 0;
  std::int64_t epoch = 0;
  std::string store_id;
};

// Takes the place of the node of this name: whoever had it before can commit nothing from here on.
NodeSeat take_seat(Connection& connection, const std::string& name);

// Moves what this node has committed into open_run, so that recovery reads only what is unfinished. `ended`: runs known
// to have ended since the last fold. Does nothing when the seat is lost.
void fold(Connection& connection, const NodeSeat& seat, const std::vector<std::int64_t>& ended);
// Forgets all rows of open_run whose run has ended; for the start, when nobody remembers which.
void clear_open_runs(Connection& connection, const NodeSeat& seat);

// What is wrong with the server's settings for durability, one sentence each.
std::vector<std::string> durability_warnings(Connection& connection);

}  // namespace godwit::store
