#include "model/limit.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace godwit::model {
namespace {

constexpr int kMost = 1'000'000'000;
constexpr std::size_t kNameMax = 200;
constexpr std::string_view kBurst = " burst ";

std::optional<int> whole(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > kMost) return std::nullopt;
  return value;
}

}  // namespace

bool is_limit_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name.front() == ' ' || name.back() == ' ') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

std::optional<LimitSpec> parse_limit(std::string_view text) {
  LimitSpec spec;
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    const auto permits = whole(text);
    if (!permits) return std::nullopt;
    spec.permits = *permits;
    return spec;
  }
  const auto burst = text.find(kBurst);
  const auto count = whole(text.substr(0, slash));
  std::string unit(text.substr(slash + 1, burst == std::string_view::npos ? burst : burst - slash - 1));
  if (!unit.empty() && !(unit.front() >= '0' && unit.front() <= '9')) unit = "1" + unit;
  const auto time = base::parse_duration(unit);
  if (!count || *count == 0 || !time || time->count() == 0) return std::nullopt;
  spec.rate = *count / std::chrono::duration<double>(*time).count();
  spec.permits = std::max(1, static_cast<int>(std::min<double>(kMost, std::floor(spec.rate))));
  if (burst != std::string_view::npos) {
    const auto given = whole(text.substr(burst + kBurst.size()));
    if (!given || *given == 0) return std::nullopt;
    spec.permits = *given;
  }
  return spec;
}

std::string format_limit(const LimitSpec& spec) {
  if (!spec.is_rate()) return fmt::to_string(spec.permits);
  // In the shortest unit that gives a whole number; else as tokens per so many seconds.
  const std::pair<const char*, double> units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  for (const auto& [unit, seconds] : units) {
    const double count = spec.rate * seconds;
    if (std::abs(count - std::round(count)) < 1e-6 * count && count >= 0.5)
      return fmt::format("{:.0f}/{} burst {}", count, unit, spec.permits);
  }
  return fmt::format(
      "1/{} burst {}",
      base::format_duration(std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(1 / spec.rate))),
      spec.permits);
}

}  // namespace godwit::model
