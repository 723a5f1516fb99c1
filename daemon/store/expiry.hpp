#pragma once
#include <cstddef>

#include "store/connection.hpp"

namespace godwit::store {

// Deletes what is kept of runs whose time is over, by the database's clock; a thousand of them at most. Gives how many.
std::size_t delete_expired(Connection& connection);
// Deletes what nodes that are gone have left behind and nobody needs.
void delete_leftovers(Connection& connection);

}  // namespace godwit::store
