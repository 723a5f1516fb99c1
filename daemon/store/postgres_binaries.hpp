#pragma once
#include <filesystem>
#include <string>

namespace godwit::store {

// Finds the folder with initdb and postgres, version 15 or newer: in `wanted` when it is given, else where pg_config
// says, else the newest of Debian's. Throws Error(failed) that says what to install.
std::filesystem::path find_postgres_binaries(const std::string& wanted);

// The major version that `postgres --version` tells, as in "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"; 0
// when there is none.
int parse_postgres_version(const std::string& text);

}  // namespace godwit::store
