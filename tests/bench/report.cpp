#include "bench/report.hpp"

#include <cstdio>

namespace godwit::bench {

void Report::add(Row row) {
  std::printf("  %s: %s\n", row.quantity.c_str(), row.godwit.c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

bool Report::print() const {
  bool all = true;
  std::printf("\n%-46s %-18s %-34s %8s  %s\n", "quantity", "godwit", "beside", "ratio", "wanted");
  for (const auto& row : rows_) {
    const bool reached = row.at_most ? row.ratio <= row.wanted : row.ratio >= row.wanted;
    all = all && reached;
    std::printf("%-46s %-18s %-34s %8.2f  %s %.2f %s\n", row.quantity.c_str(), row.godwit.c_str(), row.beside.c_str(),
                row.ratio, row.at_most ? "<=" : ">=", row.wanted, reached ? "" : "MISSED");
  }
  return all;
}

std::string figure(double value, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text,
                value >= 1000 ? "%.0f %s"
                : value >= 10 ? "%.1f %s"
                              : "%.3f %s",
                value, unit.c_str());
  return text;
}

}  // namespace godwit::bench
