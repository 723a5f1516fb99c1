// Goal: fire times agree with two independent implementations, croniter and systemd. Method: random expressions, zones
// and starts between 2000 and 2040; oracle.py asks the others and compares. GODWIT_SEED replays.
#include <catch2/catch.hpp>

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/error.hpp"
#include "cli/imported.hpp"
#include "cron/fire_times.hpp"
#include "jobfile/job_parser.hpp"
#include "support/seed.hpp"

using namespace godwit;
namespace fs = std::filesystem;

namespace {

// Random parts of expressions, drawn so that they are valid but not necessarily possible.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <typename List>
  auto one_of(const List& list) {
    return list[static_cast<std::size_t>(between(0, static_cast<int>(std::size(list)) - 1))];
  }

 private:
  std::mt19937_64 random_;
};

std::vector<std::string> zone_names() {
  std::vector<std::string> names{"UTC"};
  std::ifstream table("/usr/share/zoneinfo/zone1970.tab");
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    const auto begin = line.find('\t', line.find('\t') + 1) + 1;
    names.push_back(line.substr(begin, line.find('\t', begin) - begin));
  }
  REQUIRE(names.size() > 200);
  return names;
}

std::string cron_part(Dice& dice, int low, int high) {
  const int a = dice.between(low, high), b = dice.between(a, high);
  switch (dice.between(0, 4)) {
    case 0:
      return fmt::format("{}-{}", a, b);
    case 1:
      return fmt::format("{}-{}/{}", a, b, dice.between(1, high - low));
    case 2:
      return fmt::format("{}/{}", a, dice.between(1, high - low));
    default:
      return fmt::to_string(a);
  }
}

std::string cron_field(Dice& dice, int low, int high, int stars) {
  if (dice.chance(stars)) return dice.chance(75) ? "*" : fmt::format("*/{}", dice.between(1, high - low));
  std::string text = cron_part(dice, low, high);
  while (dice.chance(30)) text += "," + cron_part(dice, low, high);
  return text;
}

std::string cron_expression(Dice& dice) {
  constexpr std::string_view kWeekdays[] = {"sun", "MON", "Tue", "wed", "thu", "fri", "sat"};
  constexpr std::string_view kMonths[] = {"jan", "FEB", "mar", "apr", "may", "Jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
  std::string day = cron_field(dice, 1, 31, 50), weekday = cron_field(dice, 0, 7, 55);
  if (dice.chance(8)) day = "L";
  if (dice.chance(15))
    weekday = dice.chance(50) ? std::string(dice.one_of(kWeekdays))
                              : fmt::format("{}-{}", dice.between(0, 3), dice.between(4, 7));
  // croniter reads these two forms only when the day of month is a plain star.
  if (dice.chance(10)) {
    day = "*";
    weekday = dice.chance(60) ? fmt::format("{}#{}", dice.between(0, 6), dice.between(1, 5))
                              : fmt::format("L{}", dice.between(0, 6));
  }
  std::string month = dice.chance(10) ? std::string(dice.one_of(kMonths)) : cron_field(dice, 1, 12, 60);
  auto text =
      fmt::format("{} {} {} {} {}", cron_field(dice, 0, 59, 25), cron_field(dice, 0, 23, 30), day, month, weekday);
  return dice.chance(20) ? cron_field(dice, 0, 59, 30) + " " + text : text;
}

// An expression, and the same as systemd is asked for it. A step without an end (*:05/20) leads systemd 252 past the
// end of the hour and, at the end of a day, into the middle of the next hour, so it is asked with the end
// (*:05..59/20).
struct Twin {
  std::string ours, theirs;

  Twin& operator+=(const Twin& other) {
    ours += other.ours;
    theirs += other.theirs;
    return *this;
  }
  Twin& operator+=(const std::string& both) { return *this += Twin{both, both}; }
};

// systemd refuses ranges of one value and steps that lead past the end.
Twin calendar_part(Dice& dice, int low, int high) {
  const int a = dice.between(low, high - 1), b = dice.between(a + 1, high);
  const auto same = [](std::string text) { return Twin{text, text}; };
  const int step = dice.between(1, high - a);
  switch (dice.between(0, 4)) {
    case 0:
      return same(fmt::format("{:02}..{:02}", a, b));
    case 1:
      return same(fmt::format("{:02}..{:02}/{}", a, b, dice.between(1, b - a)));
    case 2:
      return {fmt::format("{:02}/{}", a, step), fmt::format("{:02}..{:02}/{}", a, high, step)};
    default:
      return same(fmt::format("{:02}", a));
  }
}

Twin calendar_field(Dice& dice, int low, int high, int stars) {
  if (dice.chance(stars)) return {"*", "*"};
  Twin text = calendar_part(dice, low, high);
  while (dice.chance(25)) {
    text += ",";
    text += calendar_part(dice, low, high);
  }
  return text;
}

Twin calendar_expression(Dice& dice) {
  constexpr std::string_view kShort[] = {"hourly",    "daily",        "weekly", "monthly",
                                         "quarterly", "semiannually", "yearly", "minutely"};
  constexpr std::string_view kWeekdays[] = {"Mon", "Tue..Fri", "sat,sun", "Wednesday", "Mon,Thu..Sat"};
  Twin text;
  if (dice.chance(5)) return text += std::string(dice.one_of(kShort));
  if (dice.chance(40)) text += std::string(dice.one_of(kWeekdays)) + " ";
  if (dice.chance(70)) {
    if (dice.chance(50)) text += "*-";
    text += calendar_field(dice, 1, 12, 60);
    if (dice.chance(15)) {
      text += fmt::format("~{:02}{} ", dice.between(2, 28), dice.chance(40) ? "/1" : "");
    } else {
      text += "-";
      text += calendar_field(dice, 1, 31, 50);
      text += " ";
    }
  }
  text += calendar_field(dice, 0, 23, 40);
  text += ":";
  text += calendar_field(dice, 0, 59, 15);
  if (dice.chance(40)) {
    text += ":";
    text += calendar_field(dice, 0, 59, 5);
  }
  return text;
}

// One line for oracle.py, which is asked for `text`.
std::string line_of(const model::Timing& timing, const std::string& text, std::int64_t start) {
  auto line = fmt::format("{}\t{}\t{}\t", text, timing.zone, start);
  try {
    const cron::FireTimes times(timing);
    base::Instant after{std::chrono::seconds(start)};
    for (int count = 0; count < 16; ++count) {
      const auto next = times.next(after);
      if (!next) break;
      line += fmt::format("{} ", std::chrono::floor<std::chrono::seconds>(*next).time_since_epoch().count());
      after = *next;
    }
  } catch (const base::Error& error) {
    INFO(timing.text << ": " << error.what());
    REQUIRE_THAT(error.what(), Catch::Contains("no year has such a day"));
    line += "impossible";
  }
  return line + "\n";
}

// As cron(8) of Debian reads them.
std::string crontab_expression(Dice& dice) {
  constexpr std::string_view kShort[] = {"@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually", "@midnight"};
  if (dice.chance(4)) return std::string(dice.one_of(kShort));
  return fmt::format("{} {} {} {} {}", cron_field(dice, 0, 59, 25), cron_field(dice, 0, 23, 30),
                     cron_field(dice, 1, 31, 50), dice.chance(10) ? "Feb" : cron_field(dice, 1, 12, 60),
                     dice.chance(15) ? "mon-fri" : cron_field(dice, 0, 7, 55));
}

// What became of the one line, or of the one timer, as the job's own file says it; empty for what no year has.
std::optional<model::Timing> imported_timing(const cli::ImportReport& report) {
  for (const auto& problem : report.problems) {
    INFO(problem.text());
    REQUIRE_THAT(problem.text(), Catch::Contains("no year has such a day"));
    return std::nullopt;
  }
  REQUIRE(report.jobs.size() == 1);
  const auto job = jobfile::parse(cli::job_text(report.jobs.front()), "imported.yaml");
  REQUIRE(job.schedules.size() == 1);
  auto timing = job.schedules.front().timing;
  timing.clock_change = model::ClockChange::skip;
  return timing;
}

// The first fires as `schedule import` expects them of cron itself.
std::string line_of_cron(const model::Timing& timing, const std::string& text, std::int64_t start) {
  const base::Instant from{std::chrono::seconds(start)};
  std::vector<base::Instant> times;
  for (const int years : {1, 12, 60, 600})
    if (times.size() < 16) times = cli::times_of_cron(timing, from, from + std::chrono::years(years));
  auto line = fmt::format("{}\t{}\t{}\t", text, timing.zone, start);
  for (std::size_t i = 0; i < std::min<std::size_t>(16, times.size()); ++i)
    line += fmt::format("{} ", std::chrono::floor<std::chrono::seconds>(times[i]).time_since_epoch().count());
  return line + "\n";
}

// Gives the oracle's last line; its differences are shown by Catch when the check fails.
std::string ask_oracle(const char* who, const std::string& cases) {
  const auto file = fs::temp_directory_path() / fmt::format("godwit-oracle-{}-{}", who, ::getpid());
  std::ofstream(file) << cases;
  const auto command = fmt::format("/usr/bin/python3 {}/tests/integration/cron/oracle.py {} < {} 2>&1",
                                   GODWIT_SOURCE_DIR, who, file.string());
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string out;
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  ::pclose(pipe);
  fs::remove(file);
  return out;
}

void check_agrees(const char* who, const std::string& cases, int count) {
  const auto answer = ask_oracle(who, cases);
  INFO(answer);
  CHECK_THAT(answer, Catch::Contains(fmt::format("compared {} cases", count)) && Catch::Contains(" 0 differences"));
  WARN(answer);
}

std::int64_t random_start(Dice& dice) {
  return 946'684'800 + static_cast<std::int64_t>(dice.between(0, 40 * 365)) * 86'400 + dice.between(0, 86'399);
}

}  // namespace

TEST_CASE("cron expressions agree with croniter") {
  const auto seed = godwit::support::seed();
  Dice dice(seed);
  const auto zones = zone_names();
  constexpr int kCases = 10'000;
  std::string cases;
  for (int i = 0; i < kCases; ++i) {
    const auto text = cron_expression(dice);
    cases += line_of({model::Timing::Kind::cron, text, dice.one_of(zones), model::ClockChange::skip}, text,
                     random_start(dice));
  }
  check_agrees("croniter", cases, kCases);
}

TEST_CASE("calendar expressions agree with systemd-analyze") {
  const auto seed = godwit::support::seed();
  Dice dice(seed);
  const auto zones = zone_names();
  constexpr int kGroups = 60, kEach = 25;
  std::string cases;
  for (int group = 0; group < kGroups; ++group) {
    const auto zone = dice.one_of(zones);
    const auto start = random_start(dice);
    for (int i = 0; i < kEach; ++i) {
      const auto text = calendar_expression(dice);
      cases += line_of({model::Timing::Kind::calendar, text.ours, zone, model::ClockChange::skip}, text.theirs, start);
    }
  }
  check_agrees("systemd", cases, kGroups * kEach);
}

TEST_CASE("imported lines of crontabs have the times that croniter gives") {
  Dice dice(godwit::support::seed());
  const auto zones = zone_names();
  constexpr int kLines = 1'500;
  std::string cases;
  for (int i = 0; i < kLines; ++i) {
    const auto text = crontab_expression(dice);
    const auto zone = dice.one_of(zones);
    const auto start = random_start(dice);
    cli::ImportReport report;
    cli::read_crontab(fmt::format("CRON_TZ={}\n{} /bin/true\n", zone, text), "tab", cli::CrontabKind::user, "UTC", report);
    const auto timing = imported_timing(report);
    cases += timing ? line_of(*timing, text, start) : fmt::format("{}\t{}\t{}\timpossible\n", text, zone, start);
  }
  check_agrees("croniter", cases, kLines);
}

// What the others do when a clock changes has its own table of cases.
constexpr std::string_view kSteadyZones[] = {"UTC", "Etc/GMT+5", "Etc/GMT-9"};

TEST_CASE("what import takes for the times of cron itself agrees with croniter") {
  Dice dice(godwit::support::seed());
  constexpr int kLines = 500;
  std::string cases;
  for (int i = 0; i < kLines; ++i) {
    const auto text = crontab_expression(dice);
    const std::string zone(dice.one_of(kSteadyZones));
    const auto start = random_start(dice);
    cli::ImportReport report;
    cli::read_crontab(text + " /bin/true\n", "tab", cli::CrontabKind::user, zone, report);
    const auto timing = imported_timing(report);
    cases += timing ? line_of_cron(*timing, text, start) : fmt::format("{}\t{}\t{}\timpossible\n", text, zone, start);
  }
  check_agrees("croniter", cases, kLines);
}

TEST_CASE("random timers that are imported have the times that systemd-analyze gives") {
  Dice dice(godwit::support::seed());
  constexpr int kGroups = 20, kEach = 15;
  std::string cases;
  for (int group = 0; group < kGroups; ++group) {
    const std::string zone(dice.one_of(kSteadyZones));
    const auto start = random_start(dice);
    for (int i = 0; i < kEach; ++i) {
      const auto text = calendar_expression(dice).theirs;
      cli::ImportReport report;
      cli::read_timer("[Timer]\nOnCalendar=" + text + "\n", "a.timer", zone,
                      [](const std::string&) { return "[Service]\nExecStart=/bin/true\n"; }, report);
      const auto timing = imported_timing(report);
      REQUIRE(timing);
      cases += line_of(*timing, text, start);
    }
  }
  check_agrees("systemd", cases, kGroups * kEach);
}
