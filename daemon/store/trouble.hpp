#pragma once
#include <exception>
#include <string>

namespace godwit::store {

// What a failed call to the database means for the caller.
enum class Trouble {
  lost,    // the connection is gone and nobody can say whether the call had its effect
  later,   // it had none and may succeed later: a full disk, too many connections
  locked,  // the same, since another transaction holds a row or a table
  taken,   // a row with this key exists
  data,    // the server cannot hold these values
  defect,  // anything else: wrong SQL, missing rights, a schema that somebody changed
};
Trouble classify(const std::exception& error);
// The error's text on one line, without libpq's trailing line feeds and without the statement.
std::string describe(const std::exception& error);

}  // namespace godwit::store
