#include "check/runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/json_text.hpp"
#include "base/unique_fd.hpp"
#include "base/utf8.hpp"
#include "check/process_facts.hpp"
#include "process/child.hpp"

namespace godwit::check {
namespace {

namespace json = base::json;
using Clock = std::chrono::steady_clock;

constexpr int kReportFd = 3;
constexpr std::size_t kOutputShown = 1000;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Makes the check; an error that it throws is a finding.
void make(const Check& check, const CheckOptions& options, Session::Sink& sink) {
  try {
    Session session(options, sink);
    check.run(session);
    for (const auto& function : late_uses())
      session.error("it calls " + function + "() for a call whose run() has returned; join threads before run() returns");
  } catch (const base::Error& error) {
    sink.finding({Severity::error, error.what()});
  }
}

// Writes what is found as lines of JSON.
class LineSink : public Session::Sink {
 public:
  void finding(const Finding& finding) override {
    write({{"severity", static_cast<int>(finding.severity)}, {"what", base::repaired_utf8(finding.what)}});
  }
  void skipped(const std::string& why) override { write({{"skipped", why}}); }
  void doing(const std::string& what) override { write({{"doing", base::repaired_utf8(what)}}); }
  static void done() { write({{"done", true}}); }
  void give_up() override {
    done();
    ::_exit(0);
  }

 private:
  static void write(const json::object& fields) {
    const std::string line = base::serialize(fields) + "\n";
    if (Plugin::in_fork()) ::_exit(1);  // what the plugin forked has come back from it, and would speak for the checker
    for (std::size_t at = 0; at < line.size();) {
      const ssize_t written = ::write(kReportFd, line.data() + at, line.size() - at);
      if (written < 0 && errno != EINTR) ::_exit(1);
      if (written > 0) at += static_cast<std::size_t>(written);
    }
  }
};

class OutcomeSink : public Session::Sink {
 public:
  explicit OutcomeSink(Outcome& outcome) : outcome_(outcome) {}
  void finding(const Finding& finding) override { outcome_.findings.push_back(finding); }
  void skipped(const std::string& why) override { outcome_.skipped = why; }
  void doing(const std::string& what) override { std::fprintf(stderr, "%s\n", what.c_str()); }
  void give_up() override {
    std::fputs(text_report({outcome_}).c_str(), stderr);
    ::_exit(1);
  }

 private:
  Outcome& outcome_;
};

// What a child said, taken apart.
struct Report {
  std::string rest;
  std::string doing;
  bool done = false;

  void take(std::string_view bytes, Outcome& outcome) {
    rest += bytes;
    std::size_t at = 0;
    for (std::size_t end = 0; (end = rest.find('\n', at)) != std::string::npos; at = end + 1)
      line(rest.substr(at, end - at), outcome);
    rest.erase(0, at);
  }
  void line(const std::string& text, Outcome& outcome) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object())
      return;  // the plugin wrote to a descriptor that is not its own; load.quiet sees that
    const auto& fields = value.get_object();
    if (fields.contains("done")) done = true;
    if (const auto* what = fields.if_contains("doing")) doing = std::string(what->as_string());
    if (const auto* why = fields.if_contains("skipped")) outcome.skipped = std::string(why->as_string());
    if (const auto* severity = fields.if_contains("severity"))
      outcome.findings.push_back(
          {static_cast<Severity>(severity->to_number<int>()), std::string(fields.at("what").as_string())});
  }
};

// A folder for the plugin to be in, gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-check-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw base::Error(base::ErrorKind::failed, "no folder can be made", {name, 0, 0, {}});
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string last_output(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  std::string text(kOutputShown, '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), std::max<off_t>(0, size - static_cast<off_t>(text.size())));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return base::repaired_utf8(text);
}

std::vector<std::string> whole_environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) all.emplace_back(*entry);
  return all;
}

}  // namespace

Outcome Runner::run(const Check& check) const {
  Outcome outcome{std::string(check.name), {}, {}, 0};
  const auto begin = Clock::now();
  const Folder folder;
  int fds[2];
  const base::UniqueFd output(::memfd_create("output", MFD_CLOEXEC));
  if (::pipe2(fds, O_CLOEXEC) != 0) throw base::Error(base::ErrorKind::failed, "no pipe can be made");
  const base::UniqueFd in(fds[0]);
  base::UniqueFd theirs(fds[1]);
  process::SpawnOptions spawn;
  spawn.program = "/proc/self/exe";
  spawn.program = std::filesystem::read_symlink(spawn.program).string();
  spawn.arguments = words_;
  spawn.arguments.insert(spawn.arguments.end(), {"--child", std::string(check.name)});
  spawn.environment = whole_environment();
  spawn.directory = folder.path();
  spawn.fds = {-1, output.get(), output.get(), theirs.get()};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what the plugin starts comes back to here when its process ends
  process::Child child = process::spawn(spawn);
  theirs.reset();
  Report report;
  bool late = false;
  while (true) {
    const double left = std::chrono::duration<double>(check.limit).count() - seconds_since(begin);
    pollfd wait{in.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left * 1000) + 1) == 0) {
      late = true;
      break;
    }
    char piece[16 * 1024];
    const ssize_t got = ::read(in.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    report.take({piece, static_cast<std::size_t>(got)}, outcome);
    if (report.done) break;
  }
  // Counted before the first of them is killed: afterwards it is a matter of chance who is dead already.
  const std::size_t left = living_descendants(child.pid());
  child.signal_group(SIGKILL * (late || report.done ? 1 : 0));
  const process::Exit exit = child.wait();
  end_children();
  if (left > 0)
    outcome.findings.push_back(
        {Severity::warning,
         std::to_string(left) + (left == 1 ? " process" : " processes") + " that it had started outlived it"});
  outcome.seconds = seconds_since(begin);
  if (report.done) return outcome;
  const std::string where = report.doing.empty() ? "" : " while " + report.doing;
  const std::string said = last_output(output.get());
  outcome.findings.push_back({Severity::error, (late ? "it hung for " + std::to_string(check.limit.count()) + " s"
                                                     : "its process ended with " + exit.text()) +
                                                   where + (said.empty() ? "" : "; the last it printed: " + said)});
  return outcome;
}

Outcome Runner::run_here(const Check& check) const {
  Outcome outcome{std::string(check.name), {}, {}, 0};
  const auto begin = Clock::now();
  OutcomeSink sink(outcome);
  make(check, options_, sink);
  outcome.seconds = seconds_since(begin);
  return outcome;
}

void Runner::run_child(const Check& check) const {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  LineSink sink;
  make(check, options_, sink);
  sink.done();
  // Destructors of the plugin's globals are no part of the check.
  ::_exit(0);
}

}  // namespace godwit::check
