#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "model/schedule.hpp"

namespace godwit::cli {

// A line of a crontab or a systemd timer as a job with schedules.
struct Imported {
  std::string name;    // of the job
  base::Place place;   // where it stands
  std::string origin;  // what stands there, for people
  std::vector<model::Schedule> schedules;
  struct Command {
    std::vector<std::string> argv;
    std::string stdin_text;
    base::json::object env;
    std::string cwd;
  };
  std::vector<Command> commands;   // one after the other
  std::vector<std::string> notes;  // what godwit does in another way, or not at all
};

// What was read of some files, and what could not be.
struct ImportReport {
  std::vector<Imported> jobs;
  std::vector<base::Error::Problem> problems;
};

// A user's crontab, or one with a column for the user (/etc/crontab, /etc/cron.d). `zone` is the machine's.
enum class CrontabKind { detect, user, system };
void read_crontab(const std::string& text, const std::string& file, CrontabKind kind, const std::string& zone,
                  ImportReport& report);
// A .timer and the service it starts, which `read` gives by its file's name; it throws Error(not_found) for none.
void read_timer(const std::string& text, const std::string& file, const std::string& zone,
                const std::function<std::string(const std::string& unit)>& read, ImportReport& report);

// A job's name made of what stands there: letters, digits, _ and -, not longer than a name should be.
std::string job_name(std::string_view text);
// The job as a YAML file.
std::string job_text(const Imported& job);

// The instants from `from` to `to` at which cron itself would run the line, as Debian's and Vixie's do: times that the
// clock skips are run once at the change, those shown twice the first time; with a * in minute or hour every minute
// that comes is looked at instead.
std::vector<base::Instant> times_of_cron(const model::Timing& timing, base::Instant from, base::Instant to);
// The same of systemd, which is asked; empty without systemd-analyze, or when it says something else than instants.
std::optional<std::vector<base::Instant>> times_of_systemd(const model::Timing& timing, base::Instant from,
                                                           base::Instant to, std::size_t about);

}  // namespace godwit::cli
