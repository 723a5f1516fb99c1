#include <pwd.h>

#include <algorithm>
#include <sstream>

#include "cli/imported.hpp"
#include "cron/fire_times.hpp"

namespace godwit::cli {
namespace {

constexpr std::string_view kSpace = " \t";

bool is_variable(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string unquoted(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

// Cuts `count` words off the front of a line; fewer when it has not so many. Where they begin is kept.
std::vector<std::string> take_words(std::string_view& line, std::size_t count) {
  std::vector<std::string> words;
  while (words.size() < count) {
    const auto begin = line.find_first_not_of(kSpace);
    if (begin == line.npos) break;
    const auto end = std::min(line.find_first_of(kSpace, begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
  return words;
}

// A % ends the command and begins a line of its standard input; \% is the sign itself.
std::pair<std::string, std::string> command_and_input(std::string_view text) {
  std::string command, input;
  bool in_command = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto& part = in_command ? command : input;
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '%')
      part += text[++i];
    else if (text[i] != '%')
      part += text[i];
    else if (in_command)
      in_command = false;
    else
      part += '\n';
  }
  if (!in_command) input += '\n';
  return {command, input};
}

class Crontab {
 public:
  Crontab(std::string file, CrontabKind kind, std::string zone, ImportReport& report)
      : file_(std::move(file)), kind_(kind), zone_(std::move(zone)), report_(report) {}

  void read(const std::string& text) {
    if (kind_ == CrontabKind::detect) kind_ = detect(text);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      ++line_;
      const auto content = trimmed(line);
      if (content.empty() || content.front() == '#') continue;
      try {
        if (!read_variable(content)) read_entry(line);
      } catch (const base::Error& error) {
        for (const auto& problem : error.problems())
          report_.problems.push_back(
              {problem.what, {file_, line_, column_ + std::max(problem.place.column, 1), {}}, problem.hint});
      }
    }
  }

 private:
  // With a column for users each entry's sixth word is one.
  CrontabKind detect(const std::string& text) const {
    if (file_ == "/etc/crontab" || file_.find("/cron.d/") != file_.npos) return CrontabKind::system;
    std::istringstream lines(text);
    int entries = 0, with_user = 0;
    for (std::string line; std::getline(lines, line);) {
      std::string_view rest = trimmed(line);
      if (rest.empty() || rest.front() == '#' || is_variable(trimmed(rest.substr(0, rest.find('='))))) continue;
      take_words(rest, rest.front() == '@' ? 1 : 5);
      const auto user = take_words(rest, 1);
      ++entries;
      if (!user.empty() && ::getpwnam(user.front().c_str()) && !trimmed(rest).empty()) ++with_user;
    }
    return entries > 0 && entries == with_user ? CrontabKind::system : CrontabKind::user;
  }

  bool read_variable(std::string_view line) {
    const auto equals = line.find('=');
    if (equals == line.npos) return false;
    const std::string name = unquoted(line.substr(0, equals));
    if (!is_variable(name)) return false;
    const std::string value = unquoted(line.substr(equals + 1));
    column_ = static_cast<int>(equals) + 1;
    if (name == "CRON_TZ")
      zone_ = cron::Zone::find(value).name();
    else if (name == "MAILTO")
      mailto_ = value;
    else if (name == "SHELL")
      shell_ = value;
    else if (name == "RANDOM_DELAY")
      throw base::refused("RANDOM_DELAY cannot be taken over", {}, "give the schedules a `jitter`");
    else
      env_[name] = value;
    return true;
  }

  void read_entry(std::string_view line) {
    std::string_view rest = line;
    column_ = static_cast<int>(line.find_first_not_of(kSpace));
    const bool nick = line[static_cast<std::size_t>(column_)] == '@';
    const auto fields = take_words(rest, nick ? 1 : 5);
    std::string expression;
    for (const auto& field : fields) expression += (expression.empty() ? "" : " ") + field;
    if (expression == "@reboot")
      throw base::refused("@reboot: godwit's schedules know times, not starts of the machine", {},
                          "let a systemd unit submit the job");
    if (!nick && fields.size() < 5) throw base::refused("an entry has five fields for the time, and a command");
    if (expression.find('~') != expression.npos)
      throw base::refused("a random range (~) cannot be taken over", {}, "give the schedule a `jitter`");
    Imported job;
    job.place = {file_, line_, column_ + 1, {}};
    job.origin = std::string(trimmed(line));
    model::Schedule schedule;
    schedule.timing = {model::Timing::Kind::cron, expression, zone_, model::ClockChange::run_once};
    cron::FireTimes check(schedule.timing);
    // cron starts a command whether the last one has ended or not, and makes up for nothing.
    schedule.missed = model::Missed::none;
    schedule.overlap = model::Overlap::allow;
    job.schedules.push_back(schedule);
    std::string user;
    if (kind_ == CrontabKind::system) {
      const auto word = take_words(rest, 1);
      if (!word.empty()) user = word.front();
    }
    if (trimmed(rest).empty())
      throw base::refused(kind_ == CrontabKind::system ? "a user and a command follow the time"
                                                       : "the command is missing");
    add_command(job, std::string(trimmed(rest)), user);
    report_.jobs.push_back(std::move(job));
  }

  void add_command(Imported& job, const std::string& text, const std::string& user) const {
    auto [command, input] = command_and_input(text);
    Imported::Command run;
    if (!user.empty() && user != "root") run.argv = {"runuser", "-u", user, "--"};
    for (const auto& word : {shell_, std::string("-c"), command}) run.argv.push_back(word);
    run.stdin_text = std::move(input);
    run.env = env_;
    if (const auto* home = env_.if_contains("HOME")) run.cwd = std::string(home->as_string());
    if (!run.env.contains("PATH")) run.env["PATH"] = "/usr/bin:/bin";
    if (!user.empty()) job.notes.push_back("runs as " + user + ": godwitd must be allowed to do that");
    if (mailto_ && !mailto_->empty())
      job.notes.push_back("cron mails what it prints to " + *mailto_ +
                          "; `godwit logs` has it here, and `on_failure` can tell somebody");
    job.commands.push_back(std::move(run));
    const auto slash = file_.find_last_of('/');
    const bool own = file_.find("/cron.d/") != file_.npos;
    std::string_view first = command;
    const auto words = take_words(first, 1);
    job.name = job_name(own             ? file_.substr(slash + 1)
                        : words.empty() ? "cron"
                                        : words.front().substr(words.front().find_last_of('/') + 1));
  }

  std::string file_;
  CrontabKind kind_;
  std::string zone_;
  ImportReport& report_;
  int line_ = 0;
  int column_ = 0;  // before the first of what is read
  std::optional<std::string> mailto_;
  std::string shell_ = "/bin/sh";
  base::json::object env_;
};

}  // namespace

void read_crontab(const std::string& text, const std::string& file, CrontabKind kind, const std::string& zone,
                  ImportReport& report) {
  Crontab(file, kind, zone, report).read(text);
}

std::string job_name(std::string_view text) {
  constexpr std::size_t kMax = 60;
  std::string name;
  for (const char c : text.substr(0, kMax)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain || (!name.empty() && name.back() != '-')) name += plain ? c : '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  while (!name.empty() && name.front() == '-') name.erase(0, 1);
  return name.empty() ? "imported" : name;
}

}  // namespace godwit::cli
