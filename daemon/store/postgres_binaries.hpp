#pragma once
#include <filesystem>
#include <string>

namespace godwit::store {

// Finds the folder with initdb and postgres, version 15 or newer: in `wanted` when it is given, else where pg_config
// says or among Debian's. Of the major version `made_by`, which alone can serve a cluster that it has made; of the
// newest when that is 0. Throws Error(failed) that says what to install.
std::filesystem::path find_postgres_binaries(const std::string& wanted, int made_by = 0);

// The major version that `postgres --version` tells, as in "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"; 0
// when there is none.
int parse_postgres_version(const std::string& text);

}  // namespace godwit::store
