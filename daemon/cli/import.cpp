#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/json_text.hpp"
#include "base/suggest.hpp"
#include "base/terminal.hpp"
#include "cli/commands.hpp"
#include "cli/imported.hpp"
#include "cli/parameters.hpp"
#include "cli/session.hpp"
#include "cron/fire_times.hpp"

namespace godwit::cli {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;

constexpr std::size_t kFileMax = 1u << 20;
constexpr auto kYear = std::chrono::hours(24 * 365);
constexpr std::size_t kTimesMax = 600'000;  // of one schedule in a year: every minute
constexpr std::size_t kDifferencesShown = 40;

// The name of the machine's zone.
std::string zone_here() {
  if (const char* zone = std::getenv("TZ"); zone && *zone) return zone[0] == ':' ? zone + 1 : zone;
  std::error_code error;
  const std::string link = fs::read_symlink("/etc/localtime", error).string();
  constexpr std::string_view kFolder = "zoneinfo/";
  const auto found = link.find(kFolder);
  if (found != link.npos) return link.substr(found + kFolder.size());
  std::ifstream file("/etc/timezone");
  std::string name;
  return std::getline(file, name) && !name.empty() ? name : "UTC";
}

void read_file(const fs::path& path, CrontabKind kind, const std::string& zone, ImportReport& report) {
  const std::string text = read_text(path.string(), kFileMax);
  if (path.extension() != ".timer") return read_crontab(text, path.string(), kind, zone, report);
  read_timer(
      text, path.string(), zone,
      [&path](const std::string& unit) { return read_text((path.parent_path() / unit).string(), kFileMax); }, report);
}

// Of a folder: its timers; without any, its files as crontabs with a column for the user, as /etc/cron.d is.
void read_folder(const fs::path& folder, CrontabKind kind, const std::string& zone, ImportReport& report) {
  std::vector<fs::path> files, timers;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) throw base::refused("cannot be read: " + error.message(), {folder.string(), 0, 0, {}});
  for (const auto& entry : entries) {
    if (!entry.is_regular_file(error) || entry.path().filename().string().front() == '.') continue;
    files.push_back(entry.path());
    if (entry.path().extension() == ".timer") timers.push_back(entry.path());
  }
  auto& chosen = timers.empty() ? files : timers;
  std::sort(chosen.begin(), chosen.end());
  if (timers.empty() && kind == CrontabKind::detect) kind = CrontabKind::system;
  for (const auto& path : chosen) read_file(path, kind, zone, report);
}

// Names that come twice are numbered; schedules of a list have names.
void name_all(std::vector<Imported>& jobs) {
  std::set<std::string> taken;
  for (auto& job : jobs) {
    std::string name = job.name;
    for (int number = 2; !taken.insert(name).second; ++number) name = job.name + "-" + std::to_string(number);
    job.name = std::move(name);
    for (std::size_t i = 0; i < job.schedules.size() && job.schedules.size() > 1; ++i)
      job.schedules[i].name = "t" + std::to_string(i + 1);
  }
}

struct Comparison {
  std::string expression, zone, original;  // "cron", "systemd"; empty when there is none to compare with
  std::vector<base::Instant> ours, theirs;
  // What only one of the two has, in the order of time.
  std::vector<std::pair<base::Instant, bool>> differences() const {
    std::vector<std::pair<base::Instant, bool>> found;
    if (original.empty()) return found;
    for (const auto at : ours)
      if (!std::binary_search(theirs.begin(), theirs.end(), at)) found.emplace_back(at, true);
    for (const auto at : theirs)
      if (!std::binary_search(ours.begin(), ours.end(), at)) found.emplace_back(at, false);
    std::sort(found.begin(), found.end());
    return found;
  }
};

Comparison compare(const model::Schedule& schedule, base::Instant from, base::Instant to) {
  Comparison result{schedule.timing.text, schedule.timing.zone, {}, {}, {}};
  const cron::FireTimes times(schedule.timing);
  for (auto next = times.next(from); next && *next <= to && result.ours.size() < kTimesMax; next = times.next(*next))
    result.ours.push_back(*next);
  if (schedule.timing.kind == model::Timing::Kind::cron) {
    result.original = "cron";
    result.theirs = times_of_cron(schedule.timing, from, to);
  } else if (auto asked = times_of_systemd(schedule.timing, from, to, result.ours.size())) {
    result.original = "systemd";
    result.theirs = std::move(*asked);
  }
  return result;
}

std::string line_of(base::Instant at, const cron::Zone& zone, std::string_view ours, std::string_view theirs,
                    bool same) {
  std::string text = "  " + cron::format_in_zone(at, zone) + "  ";
  text += std::string(ours) + std::string(8 - std::min<std::size_t>(ours.size(), 8), ' ') + std::string(theirs);
  return text + (same ? "" : "   <- differs") + "\n";
}

void print_comparison(Session& session, const Comparison& both, bool all) {
  const cron::Zone zone = cron::Zone::find(both.zone);
  const auto differences = both.differences();
  std::string head =
      "  " + both.expression + " in " + both.zone + ": " + std::to_string(both.ours.size()) + " times in the next year";
  if (both.original.empty())
    head += ", not compared: systemd-analyze is not here or knows no such times";
  else if (differences.empty())
    head += ", the same as with " + both.original;
  else
    head += ", " + both.original + " has " + std::to_string(both.theirs.size()) + "; " +
            std::to_string(differences.size()) + " differ";
  session.print(base::printable(head) + "\n");
  if (all) {
    std::vector<base::Instant> merged;
    std::set_union(both.ours.begin(), both.ours.end(), both.theirs.begin(), both.theirs.end(),
                   std::back_inserter(merged));
    for (const auto at : merged) {
      const bool ours = std::binary_search(both.ours.begin(), both.ours.end(), at);
      const bool theirs = std::binary_search(both.theirs.begin(), both.theirs.end(), at);
      session.print(line_of(at, zone, ours ? "godwit" : "", theirs ? both.original : "",
                            ours == theirs || both.original.empty()));
    }
    return;
  }
  for (std::size_t i = 0; i < std::min(differences.size(), kDifferencesShown); ++i)
    session.print(line_of(differences[i].first, zone, differences[i].second ? "godwit" : "",
                          differences[i].second ? "" : both.original, false));
  if (differences.size() > kDifferencesShown) session.print("  ... (--all shows every time)\n");
}

json::array instants(const std::vector<base::Instant>& list) {
  json::array out;
  for (const auto at : list) out.emplace_back(base::format_instant(at));
  return out;
}

json::object as_json(const Imported& job, const std::vector<Comparison>& comparisons) {
  json::array schedules;
  for (const auto& both : comparisons)
    schedules.push_back(json::object{{"expression", both.expression},
                                     {"zone", both.zone},
                                     {"original", both.original},
                                     {"times", instants(both.ours)},
                                     {"original_times", instants(both.theirs)},
                                     {"differences", both.differences().size()}});
  return {{"job", job.name},
          {"file", job.place.file},
          {"line", job.place.line},
          {"text", job_text(job)},
          {"notes", json::value_from(job.notes)},
          {"schedules", std::move(schedules)}};
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw base::refused("the folder cannot be made: " + error.message(), {folder.string(), 0, 0, {}});
}

void write_job(const fs::path& folder, const Imported& job, bool force) {
  const fs::path path = folder / (job.name + ".yaml");
  if (std::error_code error; !force && fs::exists(path, error))
    throw base::Error(base::ErrorKind::refused, "is already there", {path.string(), 0, 0, {}},
                      "give another folder, or --force");
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << job_text(job);
  if (!file.flush()) throw base::Error(base::ErrorKind::failed, "cannot be written", {path.string(), 0, 0, {}});
}

CrontabKind kind_of(const CommandLine& line) {
  if (line.has("user") && line.has("system"))
    throw base::Error(base::ErrorKind::usage, "--user beside --system", {}, "give one of them");
  return line.has("user") ? CrontabKind::user : line.has("system") ? CrontabKind::system : CrontabKind::detect;
}

base::Instant start_of(const CommandLine& line) {
  if (!line.has("from")) return std::chrono::floor<std::chrono::seconds>(base::now());
  const auto from = base::parse_instant(line.text("from"));
  if (!from)
    throw base::Error(base::ErrorKind::usage, "--from: '" + line.text("from") + "' is no instant", {},
                      "write it as 2026-03-28T00:00:00Z");
  return *from;
}

}  // namespace

std::string job_text(const Imported& job) {
  const auto quote = [](std::string text) {
    // In a job ${ begins an expression.
    for (std::size_t at = 0; (at = text.find("${", at)) != text.npos; at += 3) text.insert(at, "$");
    return base::serialize(text);
  };
  std::string text = "# Imported from " + job.place.file + ":" + std::to_string(job.place.line) + "\n";
  text += "#   " + base::printable(job.origin) + "\n";
  for (const auto& note : job.notes) text += "# " + base::printable(note) + "\n";
  text += "job: " + job.name + "\nschedule:\n";
  for (const auto& schedule : job.schedules) {
    json::object shown;
    if (!schedule.name.empty()) shown["name"] = schedule.name;
    const auto kind = model::name_in(model::kTimingKinds, schedule.timing.kind);
    shown[json::string_view(kind.data(), kind.size())] = schedule.timing.text;
    if (schedule.timing.kind != model::Timing::Kind::every) shown["zone"] = schedule.timing.zone;
    shown["missed"] = model::name_in(model::kMissed, schedule.missed);
    shown["overlap"] = model::name_in(model::kOverlaps, schedule.overlap);
    if (schedule.jitter.count() > 0) shown["jitter"] = base::format_duration(schedule.jitter);
    text += "  - " + base::serialize(shown) + "\n";
    if (job.schedules.size() == 1) text.replace(text.rfind("  - "), 4, "  ");
  }
  text += "stages:\n";
  std::string before;
  for (std::size_t i = 0; i < job.commands.size(); ++i) {
    const auto& command = job.commands[i];
    const std::string name = job.commands.size() == 1 ? "run" : "run" + std::to_string(i + 1);
    text += "  " + name + ":\n";
    if (!before.empty()) text += "    needs: [" + before + "]\n";
    text += "    uses: shell.run\n    with:\n      argv: [";
    for (const auto& word : command.argv) text += (&word == &command.argv.front() ? "" : ", ") + quote(word);
    text += "]\n";
    if (!command.stdin_text.empty()) text += "      stdin: " + quote(command.stdin_text) + "\n";
    if (!command.cwd.empty()) text += "      cwd: " + quote(command.cwd) + "\n";
    if (!command.env.empty()) {
      text += "      env:\n";
      for (const auto& [key, value] : command.env)
        text += "        " + std::string(key) + ": " + quote(std::string(value.as_string())) + "\n";
    }
    before = name;
  }
  return text;
}

int schedule_import(Session& session) {
  const auto& line = session.line;
  const std::string zone = cron::Zone::find(line.text("zone", zone_here())).name();
  const auto kind = kind_of(line);
  const auto from = start_of(line);
  ImportReport report;
  for (const auto& word : line.texts("FILE")) {
    if (std::error_code error; fs::is_directory(word, error))
      read_folder(word, kind, zone, report);
    else
      read_file(word, kind, zone, report);
  }
  name_all(report.jobs);
  const fs::path folder = line.text("output");
  if (!folder.empty()) make_folder(folder);
  json::array all;
  for (const auto& job : report.jobs) {
    std::vector<Comparison> comparisons;
    for (const auto& schedule : job.schedules) comparisons.push_back(compare(schedule, from, from + kYear));
    if (!folder.empty()) write_job(folder, job, line.has("force"));
    if (session.json) {
      all.push_back(as_json(job, comparisons));
      continue;
    }
    if (session.quiet) {
      session.print(job.name + "\n");
      continue;
    }
    session.print(folder.empty() ? job_text(job)
                                 : "job " + job.name + ", of " + base::printable(job.place.file) + ":" +
                                       std::to_string(job.place.line) + ":\n");
    for (const auto& both : comparisons) print_comparison(session, both, line.has("all"));
    for (const auto& note : folder.empty() ? std::vector<std::string>() : job.notes)
      session.print("  note: " + base::printable(note) + "\n");
    session.print("\n");
  }
  if (session.json) session.print_json(all);
  if (!report.problems.empty()) throw base::Error(base::ErrorKind::refused, std::move(report.problems));
  if (report.jobs.empty()) throw base::refused("there is nothing to import");
  return 0;
}

}  // namespace godwit::cli
