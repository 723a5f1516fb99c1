#pragma once
#include <string>

namespace godwit::bench {

// What PostgreSQL itself can do with the same rows, by plain libpq: the bound that nobody passes. Its tables are like
// those of the journal, and are dropped again. One connection, one round trip for a transaction.
class Floor {
 public:
  explicit Floor(const std::string& conninfo);
  ~Floor();
  Floor(const Floor&) = delete;

  // Steps per second, `batch` in a transaction, each with 204 bytes of output; with so many of them come the rows of a
  // run and of its end.
  double steps(int batch, int steps_per_run, double seconds);
  // Submits per second, `batch` in a transaction.
  double submits(int batch, double seconds);

 private:
  void exec(const std::string& sql);
  template <typename Write>
  double rate(int batch, double seconds, Write write);

  void* connection_;
  long long next_ = 1;
};

}  // namespace godwit::bench
