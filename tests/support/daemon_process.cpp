#include "support/daemon_process.hpp"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <thread>

#include "support/cluster_template.hpp"
#include "support/file_text.hpp"
#include "support/lives.hpp"

namespace godwit::support {

namespace fs = std::filesystem;
namespace json = base::json;

namespace {

const std::string kBinaries = std::string(GODWIT_BINARY_DIR) + "/bin/";

base::UniqueFd open_file(const fs::path& file) {
  return base::UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

std::vector<std::string> plain_environment() {
  std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8"};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  return environment;
}

// One request and its answer on a connection of its own.
std::string exchange(const std::string& socket_path, const std::string& request) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) throw std::runtime_error("socket path too long");
  socket_path.copy(address.sun_path, socket_path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return {};
  std::string answer;
  char buffer[65536];
  while (answer.find('\n') == std::string::npos) {
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 60'000) <= 0) return {};
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count <= 0) return {};
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  return answer;
}

template <typename Done>
bool wait_until(base::Duration patience, Done done) {
  const auto end = base::tick() + patience;
  while (base::tick() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return done();
}

}  // namespace

CommandResult run_command(const std::string& program, std::vector<std::string> arguments,
                          std::vector<std::string> environment) {
  TempDir dir;
  const auto out = open_file(dir / "out"), err = open_file(dir / "err");
  auto all = plain_environment();
  all.insert(all.end(), environment.begin(), environment.end());
  auto child = process::spawn({.program = program,
                               .arguments = std::move(arguments),
                               .environment = std::move(all),
                               .fds = {-1, out.get(), err.get()}});
  const auto exit = child.wait();
  return {exit.by_signal ? 128 + exit.code : exit.code, file_text(dir / "out"), file_text(dir / "err")};
}

DaemonProcess::DaemonProcess(DaemonOptions options) : options_(std::move(options)) {
  if (options_.plugin_dirs.empty())
    options_.plugin_dirs = {std::string(GODWIT_BINARY_DIR) + "/plugins",
                            std::string(GODWIT_BINARY_DIR) + "/test-plugins"};
  std::ofstream(dir_ / "godwit.yaml") << options_.settings;
}

DaemonProcess::~DaemonProcess() {
  if (child_ && !child_->try_wait()) {
    child_->signal(SIGKILL);
    child_->wait();
  }
  const pid_t server = postmaster();
  if (server > 0) {
    ::kill(server, SIGQUIT);
    wait_until(std::chrono::seconds(10), [&] { return !lives(server); });
  }
}

void DaemonProcess::launch() {
  if (options_.database_url.empty() && !fs::exists(dir_ / "state")) lay_cluster(dir_ / "state");
  const auto err = open_file(dir_ / "daemon.log");
  std::vector<std::string> arguments{
      "--config", (dir_ / "godwit.yaml").string(), "--state-dir", (dir_ / "state").string(), "--socket", socket()};
  for (const auto& directory : options_.job_dirs) arguments.insert(arguments.end(), {"--job-dir", directory});
  for (const auto& directory : options_.plugin_dirs) arguments.insert(arguments.end(), {"--plugin-dir", directory});
  if (!options_.database_url.empty()) arguments.insert(arguments.end(), {"--database-url", options_.database_url});
  auto environment = plain_environment();
  environment.insert(environment.end(), options_.environment.begin(), options_.environment.end());
  child_.emplace(process::spawn({.program = kBinaries + "godwitd",
                                 .arguments = std::move(arguments),
                                 .environment = std::move(environment),
                                 .fds = {-1, err.get(), err.get()}}));
}

void DaemonProcess::wait_ready() {
  const bool ready = wait_until(std::chrono::seconds(90), [&] {
    if (!running()) return true;
    const std::string answer = exchange(socket(), R"({"jsonrpc":"2.0","id":1,"method":"daemon.status"})"
                                                  "\n");
    return answer.find(R"("ready":true)") != std::string::npos;
  });
  if (!ready || !running()) throw std::runtime_error("godwitd did not become ready:\n" + log());
}

void DaemonProcess::start() {
  launch();
  wait_ready();
}

bool DaemonProcess::running() {
  return child_ && !child_->try_wait();
}

void DaemonProcess::kill() {
  child_->signal(SIGKILL);
  child_->wait();
}

process::Exit DaemonProcess::stop() {
  child_->signal(SIGTERM);
  return child_->wait();
}

void DaemonProcess::signal(int number) {
  child_->signal(number);
}

CommandResult DaemonProcess::cli(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--socket", socket()});
  return run_command(kBinaries + "godwit", std::move(arguments));
}

json::value DaemonProcess::call(const std::string& method, json::object params) {
  const std::string request =
      json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(params)}}) +
      "\n";
  std::string answer;
  wait_until(std::chrono::seconds(60), [&] {
    answer = exchange(socket(), request);
    return !answer.empty() || !running();
  });
  if (answer.empty()) throw std::runtime_error("no answer to " + method + ":\n" + log());
  auto reply = base::parse_json(answer);
  if (const auto* error = reply.as_object().if_contains("error")) {
    const auto* kind = base::find_error_kind_by_rpc_code(error->at("code").to_number<int>());
    throw base::Error(kind ? kind->kind : base::ErrorKind::failed, std::string(error->at("message").as_string()));
  }
  return reply.at("result");
}

json::object DaemonProcess::wait_for_end(std::int64_t run, base::Duration patience) {
  json::object last;
  const bool ended = wait_until(patience, [&] {
    try {
      last = call("run.result", {{"run", run}}).as_object();
    } catch (const base::Error& error) {
      if (error.kind() != base::ErrorKind::unavailable) throw;
      return false;  // the database is away for a while
    }
    const auto state = last.at("state").as_string();
    return state == "succeeded" || state == "failed" || state == "cancelled";
  });
  if (!ended)
    throw std::runtime_error("run " + std::to_string(run) + " did not end: " + json::serialize(last) + "\n" + log());
  return last;
}

pid_t DaemonProcess::postmaster() const {
  std::ifstream in(dir_ / "state" / "postgres" / "data" / "postmaster.pid");
  pid_t pid = 0;
  in >> pid;
  return in && lives(pid) ? pid : 0;
}

std::vector<pid_t> DaemonProcess::hosts(const std::string& plugin) {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string line = file_text(entry.path() / "cmdline");
    if (line.find("godwit-host") == std::string::npos || line.find(plugin) == std::string::npos) continue;
    const std::string stat = file_text(entry.path() / "stat");
    const auto close = stat.rfind(')');
    if (close != std::string::npos && std::atoi(stat.c_str() + close + 4) == pid()) pids.push_back(std::stoi(name));
  }
  return pids;
}

std::string DaemonProcess::conninfo() const {
  if (!options_.database_url.empty()) return options_.database_url;
  std::ifstream in(dir_ / "state" / "postgres" / "data" / "postmaster.pid");
  std::string line, directory;
  for (int number = 1; std::getline(in, line); ++number)
    if (number == 5) directory = line;
  return "host=" + directory + " dbname=godwit user=godwit connect_timeout=5";
}

std::vector<std::string> DaemonProcess::query(const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo().c_str()), PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK && PQresultStatus(result.get()) != PGRES_COMMAND_OK)
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection.get()));
  std::vector<std::string> values;
  for (int row = 0; row < PQntuples(result.get()); ++row) values.emplace_back(PQgetvalue(result.get(), row, 0));
  return values;
}

std::string DaemonProcess::log() const {
  return file_text(dir_ / "daemon.log");
}

}  // namespace godwit::support
