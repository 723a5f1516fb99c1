#pragma once
#include <string>
#include <vector>

namespace godwit::bench {

// The table that a benchmark run prints: each quantity beside its floor or a peer, as a ratio, with what design asks
// for.
class Report {
 public:
  struct Row {
    std::string quantity;
    std::string godwit;
    std::string beside;  // the floor or peer and its figure
    double ratio = 0;    // godwit to what is beside it
    double wanted = 0;
    bool at_most = false;  // a smaller ratio is better
  };
  void add(Row row);
  // True when every row reached what was wanted.
  bool print() const;

 private:
  std::vector<Row> rows_;
};

std::string figure(double value, const std::string& unit);

}  // namespace godwit::bench
