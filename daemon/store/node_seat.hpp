#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "store/connection.hpp"
#include "store/unfolded_runs.hpp"

namespace godwit::store {

// This process's place in the store: the right to write as a node, until another process takes it.
struct NodeSeat {
  int node = 0;
  std::int64_t epoch = 0;
  std::string store_id;
  std::int64_t block = 0;  // of numbers for its facts
};

// Who takes a place, and how.
struct SeatWish {
  std::string name;
  // How long the place is kept without a word; zero for ever, where nobody shares the database.
  base::Duration lease{};
  // A place that somebody else holds is not taken from him. Else whoever had it can commit nothing from here on.
  bool only_if_free = false;
  std::string labels = "{}";        // JSON object
  std::vector<std::string> offers;  // plugins, as "id version"
  std::string version;
};

// Takes the place of the node of this name, with the runs that nobody has claimed meanwhile. Throws Error(refused) for
// one that is not free and is not to be taken.
NodeSeat take_seat(Connection& connection, const SeatWish& wish);
// Gives it up at an orderly end: others may go on at once.
void leave_seat(Connection& connection, const NodeSeat& seat);

// Moves what this node has committed into open_run, so that recovery reads only what is unfinished: all of it, or as many
// of the oldest runs as have ended. `ended`: runs known to have ended since the last fold. Does nothing when the seat is
// lost.
void fold(Connection& connection, const NodeSeat& seat, const std::vector<std::int64_t>& ended, bool whole,
          UnfoldedRuns& unfolded);
// Forgets all rows of open_run whose run has ended; for the start, when nobody remembers which.
void clear_open_runs(Connection& connection, const NodeSeat& seat);

// What is wrong with the server's settings for durability, one sentence each.
std::vector<std::string> durability_warnings(Connection& connection);

}  // namespace godwit::store
