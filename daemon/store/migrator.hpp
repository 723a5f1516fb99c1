#pragma once
#include <span>

#include "store/connection.hpp"
#include "store/schema.hpp"

namespace godwit::store {

// Brings the schema up to the last of `migrations`, each in a transaction of its own, one daemon at a time. Throws
// Error(refused) when the server is too old or when a newer godwit has been here.
void migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace godwit::store
