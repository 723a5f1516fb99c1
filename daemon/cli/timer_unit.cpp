#include <algorithm>
#include <map>
#include <sstream>

#include "cli/imported.hpp"
#include "cron/fire_times.hpp"

namespace godwit::cli {
namespace {

// One assignment of a unit file.
struct Setting {
  std::string value;
  int line = 0;
  int column = 1;  // of the value
};
// By "Section.Key", in the order of the file; an empty value takes back those before it.
using Settings = std::map<std::string, std::vector<Setting>>;

Settings read_unit(const std::string& text) {
  Settings settings;
  std::istringstream lines(text);
  std::string section;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const int first = ++number;
    while (!line.empty() && line.back() == '\\') {
      std::string more;
      line.back() = ' ';
      if (!std::getline(lines, more)) break;
      ++number;
      line += more;
    }
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == line.npos || line[begin] == '#' || line[begin] == ';') continue;
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line[begin] == '[') {
      section = line.substr(begin + 1, line.find(']') - begin - 1);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == line.npos) continue;
    std::string key = line.substr(begin, line.find_last_not_of(" \t", equals - 1) - begin + 1);
    const auto value = std::min(line.find_first_not_of(" \t", equals + 1), line.size());
    auto& all = settings[section + "." + key];
    if (value == line.size())
      all.clear();
    else
      all.push_back({line.substr(value), first, static_cast<int>(value) + 1});
  }
  return settings;
}

const Setting* last_of(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() || found->second.empty() ? nullptr : &found->second.back();
}

bool is_true(const Setting* setting) {
  return setting &&
         (setting->value == "yes" || setting->value == "true" || setting->value == "on" || setting->value == "1");
}

// The words of a command line as systemd splits them: quotes, backslashes, %% for %.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : 0;
    if (c == '\\' && next && quote != '\'') {
      word += next == 'n' ? '\n' : next == 't' ? '\t' : next == 's' ? ' ' : next;
      ++i;
    } else if (c == '%') {
      if (next != '%')
        throw base::refused(std::string("the specifier %") + next + " cannot be taken over",
                            {{}, 0, static_cast<int>(i) + 1, {}}, "write what it stands for");
      word += '%';
      ++i;
    } else if (quote) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == ' ' || c == '\t') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
      continue;
    } else {
      word += c;
    }
    in_word = true;
  }
  if (quote) throw base::refused("a quote is not closed");
  if (in_word) words.push_back(word);
  return words;
}

// systemd's "5min 30s", "1h", "90": what godwit's durations say in other words.
std::optional<base::Duration> time_span(std::string_view text) {
  static const std::map<std::string, std::int64_t, std::less<>> kUnits{{"us", 1},
                                                                       {"usec", 1},
                                                                       {"ms", 1000},
                                                                       {"msec", 1000},
                                                                       {"", 1'000'000},
                                                                       {"s", 1'000'000},
                                                                       {"sec", 1'000'000},
                                                                       {"second", 1'000'000},
                                                                       {"seconds", 1'000'000},
                                                                       {"m", 60'000'000},
                                                                       {"min", 60'000'000},
                                                                       {"minute", 60'000'000},
                                                                       {"minutes", 60'000'000},
                                                                       {"h", 3'600'000'000},
                                                                       {"hr", 3'600'000'000},
                                                                       {"hour", 3'600'000'000},
                                                                       {"hours", 3'600'000'000},
                                                                       {"d", 86'400'000'000},
                                                                       {"day", 86'400'000'000},
                                                                       {"days", 86'400'000'000},
                                                                       {"w", 604'800'000'000},
                                                                       {"week", 604'800'000'000},
                                                                       {"weeks", 604'800'000'000}};
  std::int64_t sum = 0;
  bool any = false;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
      continue;
    }
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 12) return std::nullopt;
    const auto number = std::stoll(std::string(text.substr(0, digits)));
    text.remove_prefix(digits);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    const auto letters = std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), text.size());
    const auto unit = kUnits.find(text.substr(0, letters));
    if (unit == kUnits.end() || number > 1'000'000'000) return std::nullopt;
    sum += number * unit->second;
    any = true;
    text.remove_prefix(letters);
  }
  return any ? std::optional<base::Duration>(std::chrono::microseconds(sum)) : std::nullopt;
}

class Timer {
 public:
  Timer(std::string file, std::string zone, const std::function<std::string(const std::string&)>& read,
        ImportReport& report)
      : file_(std::move(file)), zone_(std::move(zone)), read_(read), report_(report) {}

  void read(const std::string& text) {
    const Settings timer = read_unit(text);
    const auto slash = file_.find_last_of('/');
    const std::string unit = file_.substr(slash == file_.npos ? 0 : slash + 1);
    const std::string base = unit.substr(0, unit.rfind(".timer"));
    job_.name = job_name(base);
    job_.place = {file_, 1, 1, {}};
    add_schedules(timer);
    const auto* named = last_of(timer, "Timer.Unit");
    const std::string service = named ? named->value : base + ".service";
    std::string service_text;
    try {
      service_text = read_(service);
    } catch (const base::Error&) {
      problem(named, "the service '" + service + "' that it starts is not beside it",
              "import the folder that has both");
    }
    if (!service_text.empty())
      add_commands(read_unit(service_text), file_.substr(0, slash == file_.npos ? 0 : slash + 1) + service);
    if (good_) report_.jobs.push_back(std::move(job_));
  }

 private:
  void problem(const Setting* at, std::string what, std::string hint = {}) {
    good_ = false;
    report_.problems.push_back({std::move(what), {file_, at ? at->line : 1, at ? at->column : 1, {}}, std::move(hint)});
  }

  void add_schedules(const Settings& timer) {
    model::Schedule standard;
    // systemd starts no service that still runs.
    standard.overlap = model::Overlap::skip;
    standard.missed = is_true(last_of(timer, "Timer.Persistent")) ? model::Missed::last : model::Missed::none;
    if (const auto* delay = last_of(timer, "Timer.RandomizedDelaySec")) {
      const auto time = time_span(delay->value);
      if (!time) problem(delay, "'" + delay->value + "' is no time span of systemd");
      standard.jitter = time.value_or(base::Duration(0));
      job_.notes.push_back("systemd chooses its random delay anew each time, the jitter here stays the same");
    }
    if (const auto found = timer.find("Timer.OnCalendar"); found != timer.end())
      for (const auto& setting : found->second)
        add_schedule(standard, model::Timing::Kind::calendar, setting.value, setting);
    if (const auto* active = last_of(timer, "Timer.OnUnitActiveSec")) {
      const auto time = time_span(active->value);
      if (!time || time->count() == 0)
        problem(active, "'" + active->value + "' is no time span of systemd");
      else
        add_schedule(standard, model::Timing::Kind::every, base::format_duration(*time), *active);
      job_.notes.push_back("systemd counts OnUnitActiveSec from the last start; `every` keeps to the clock");
    }
    for (const char* key : {"OnBootSec", "OnStartupSec", "OnActiveSec", "OnUnitInactiveSec"})
      if (const auto* other = last_of(timer, std::string("Timer.") + key))
        job_.notes.push_back(std::string(key) + "=" + other->value + " has no equal here and is left out");
    if (job_.schedules.empty() && good_)
      problem(nullptr, "no OnCalendar= or OnUnitActiveSec= says when it fires",
              "godwit's schedules know times, not starts of the machine");
  }

  void add_schedule(const model::Schedule& standard, model::Timing::Kind kind, const std::string& text,
                    const Setting& at) {
    model::Schedule schedule = standard;
    schedule.timing = {kind, text, zone_, model::ClockChange::run_once};
    try {
      const cron::FireTimes times(schedule.timing);
      schedule.timing.zone = times.zone().name();
      job_.origin += (job_.origin.empty() ? "" : ", ") +
                     std::string(kind == model::Timing::Kind::calendar ? "OnCalendar=" : "OnUnitActiveSec=") + at.value;
      job_.schedules.push_back(std::move(schedule));
    } catch (const base::Error& error) {
      for (const auto& found : error.problems()) {
        Setting place = at;
        if (found.place.column > 0) place.column += found.place.column - 1;
        problem(&place, found.what, found.hint);
      }
    }
  }

  void add_commands(const Settings& service, const std::string& file) {
    Imported::Command standard;
    if (const auto* folder = last_of(service, "Service.WorkingDirectory")) standard.cwd = folder->value;
    if (const auto* user = last_of(service, "Service.User"); user && user->value != "root") {
      standard.argv = {"runuser", "-u", user->value, "--"};
      job_.notes.push_back("runs as " + user->value + ": godwitd must be allowed to do that");
    }
    for (const char* key : {"EnvironmentFile", "ExecStartPre", "ExecStartPost", "ExecCondition"})
      if (last_of(service, std::string("Service.") + key)) job_.notes.push_back(std::string(key) + "= is left out");
    const auto file_problem = [&](const Setting& at, const base::Error& error) {
      good_ = false;
      for (const auto& found : error.problems())
        report_.problems.push_back(
            {found.what, {file, at.line, at.column + std::max(found.place.column - 1, 0), {}}, found.hint});
    };
    if (const auto found = service.find("Service.Environment"); found != service.end())
      for (const auto& setting : found->second) try {
          for (const auto& word : words_of(setting.value))
            if (const auto equals = word.find('='); equals != word.npos)
              standard.env[word.substr(0, equals)] = word.substr(equals + 1);
        } catch (const base::Error& error) {
          file_problem(setting, error);
        }
    const auto starts = service.find("Service.ExecStart");
    if (starts == service.end() || starts->second.empty())
      return problem(nullptr, "the service " + file + " has no ExecStart=");
    for (const auto& setting : starts->second) try {
        auto command = standard;
        const auto first = std::min(setting.value.find_first_not_of("-@:+!|"), setting.value.size());
        if (setting.value.substr(0, first).find('-') != std::string::npos)
          job_.notes.push_back("a failure that systemd ignores (-) fails the run here");
        const auto words = words_of(std::string_view(setting.value).substr(first));
        if (words.empty()) throw base::refused("the command is missing");
        if (std::any_of(words.begin(), words.end(), [](const auto& word) { return word.find('$') != word.npos; }))
          throw base::refused("variables in a command are not replaced here", {},
                              "put it into a script, or into sh -c");
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        job_.commands.push_back(std::move(command));
      } catch (const base::Error& error) {
        file_problem(setting, error);
      }
  }

  std::string file_;
  std::string zone_;
  const std::function<std::string(const std::string&)>& read_;
  ImportReport& report_;
  Imported job_;
  bool good_ = true;
};

}  // namespace

void read_timer(const std::string& text, const std::string& file, const std::string& zone,
                const std::function<std::string(const std::string& unit)>& read, ImportReport& report) {
  Timer(file, zone, read, report).read(text);
}

}  // namespace godwit::cli
