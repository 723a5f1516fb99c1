#pragma once
#include <string>

namespace godwit::bench {

// What PostgreSQL itself can do with the same rows, by plain libpq: the bound that nobody passes. Its tables are its
// own and are dropped again.
class Floor {
 public:
  explicit Floor(const std::string& conninfo);
  ~Floor();
  Floor(const Floor&) = delete;

  // Steps per second: rows (run, path, 204 bytes of text) with their primary key, `batch` in a transaction, one
  // connection.
  double steps(int batch, double seconds);
  // Submits per second: rows with two indexes, `batch` in a transaction, one connection.
  double submits(int batch, double seconds);

 private:
  void exec(const std::string& sql);
  double insert(const std::string& statement, int batch, double seconds, int parameters);

  void* connection_;
  long long next_ = 1;
};

}  // namespace godwit::bench
