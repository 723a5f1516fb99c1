#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/option.hpp"
#include "config/settings.hpp"

using namespace godwit;
using config::CommandLine;
using config::read_settings;
using config::Request;
using config::Settings;

namespace {

// A directory with a settings file in it, gone with the object.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-settings-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& text) const {
    const std::string file = path / "godwit.yaml";
    std::ofstream(file) << text;
    return file;
  }
  std::filesystem::path path;
};

base::Surroundings user() {
  base::Surroundings result;
  result.home = "/home/ada";
  result.host_name = "machine";
  result.program = "/opt/godwit/bin/godwitd";
  return result;
}

Settings with(const std::string& text, std::vector<std::string> arguments = {}) {
  const Folder folder;
  arguments.insert(arguments.begin(), {"--config", folder.write(text)});
  return read_settings(arguments, user()).settings;
}

// What the file is refused with, without the name of its folder.
std::string refused(const std::string& text, std::vector<std::string> arguments = {}) {
  const Folder folder;
  arguments.insert(arguments.begin(), {"--config", folder.write(text)});
  try {
    read_settings(arguments, user());
    return {};
  } catch (const base::Error& error) {
    std::string what = error.what();
    const std::string prefix = folder.path.string() + "/";
    for (std::size_t at = what.find(prefix); at != std::string::npos; at = what.find(prefix))
      what.erase(at, prefix.size());
    return what;
  }
}

std::string usage_error(const std::vector<std::string>& arguments) {
  try {
    read_settings(arguments, user());
    return {};
  } catch (const base::Error& error) {
    CHECK(error.kind() == base::ErrorKind::usage);
    return error.what();
  }
}

}  // namespace

TEST_CASE("without a file and without arguments every setting has its default") {
  const Settings settings = with("");
  CHECK(settings.state_dir == "/home/ada/.local/state/godwit");
  CHECK(settings.socket == "/home/ada/.local/state/godwit/control.sock");
  CHECK(settings.socket_mode == 0660);
  CHECK(settings.node_name == "machine");
  CHECK(settings.host_program == "/opt/godwit/bin/godwit-host");
  CHECK(settings.active_runs_max == 4096);
  CHECK(settings.steps_in_flight_max == 1024);
  CHECK(settings.drain_timeout == std::chrono::seconds(30));
  CHECK(settings.submit_max == 4u << 20);
  CHECK(settings.log_level == base::log::Level::info);
  CHECK(settings.database_url.empty());
  base::Surroundings root = user();
  root.root = true;
  CHECK(base::default_state_dir(root) == "/var/lib/godwit");
  CHECK(base::default_socket(root, "/x") == "/run/godwit/control.sock");
  // What systemd made for its service wins, whoever the service's user is.
  base::Surroundings service = user();
  service.state_directory = "/var/lib/godwit";
  service.runtime_directory = "/run/godwit";
  service.configuration_directory = "/etc/godwit";
  CHECK(base::default_state_dir(service) == "/var/lib/godwit");
  CHECK(base::default_socket(service, "/x") == "/run/godwit/control.sock");
  CHECK(base::default_config_file(service) == "/etc/godwit/godwit.yaml");
  base::Surroundings desktop = user();
  desktop.xdg_runtime_dir = "/run/user/1000";
  desktop.xdg_state_home = "/data";
  CHECK(base::default_socket(desktop, "/x") == "/run/user/1000/godwit/control.sock");
  CHECK(base::default_state_dir(desktop) == "/data/godwit");
}

TEST_CASE("the file says everything there is to say") {
  const Settings settings = with(R"(
state_dir: state
socket: /tmp/s.sock
socket_mode: 0600
socket_group: ops
database: {url: "postgresql://db/x", bin_dir: /usr/bin}
plugin_dirs: [plugins, /opt/plugins/]
job_dirs: [jobs]
node: {name: n1}
engine: {active_runs_max: 10, steps_in_flight_max: 20, drain_timeout: 2m}
control: {submit_max: 100 KiB}
log: {level: debug}
roles:
  viewer: {groups: [staff]}
  operator: {users: [ada, "1001"]}
limits: {amadeus: 10}
providers: {flight-search/1: timetable}
require_sandbox: true
plugins:
  timetable:
    units: {timetable: {seed: 7, deep: {list: [1, x]}}}
    files: {read: [data], write: [/srv/out]}
    network: {hosts: [api.example.com], connect: [443, 5432], listen: [8080], udp: true, unix_sockets: true}
    secrets: {key: {file: secret.txt}, token: {env: TOKEN}}
    memory: 256MiB
    processes: 3
    cpu_time: 90s
    open_files: 64
    stall: 5m
    sha256: [0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]
  core: {memory: 2GiB}
  bare: {exec: true}
)");
  CHECK(settings.state_dir.ends_with("/state"));
  CHECK(settings.state_dir.starts_with(std::filesystem::temp_directory_path().string()));
  CHECK(settings.socket_mode == 0600);
  CHECK(settings.database_url == "postgresql://db/x");
  CHECK(settings.plugin_dirs.size() == 2);
  CHECK(settings.plugin_dirs[1] == "/opt/plugins");
  CHECK(settings.drain_timeout == std::chrono::minutes(2));
  CHECK(settings.submit_max == 100u << 10);
  CHECK(settings.log_level == base::log::Level::debug);
  CHECK(settings.roles[0].groups == std::vector<std::string>{"staff"});
  CHECK(settings.roles[1].users == std::vector<std::string>{"ada", "1001"});
  CHECK(settings.limits.at("amadeus").permits == 10);
  CHECK(settings.providers.at("flight-search/1") == "timetable");
  CHECK(settings.require_sandbox);
  const auto& timetable = settings.plugins.at("timetable");
  CHECK(timetable.units.at("timetable") == base::parse_json(R"({"seed":7,"deep":{"list":[1,"x"]}})"));
  CHECK(timetable.grants.files.read.front().ends_with("/data"));
  CHECK(timetable.grants.files.write == std::vector<std::string>{"/srv/out"});
  CHECK(timetable.grants.network.hosts == std::vector<std::string>{"api.example.com"});
  CHECK(timetable.grants.network.connect == std::vector<std::uint16_t>{443, 5432});
  CHECK(timetable.grants.network.listen == std::vector<std::uint16_t>{8080});
  CHECK((timetable.grants.network.udp && timetable.grants.network.unix_sockets));
  CHECK_FALSE((timetable.grants.exec || timetable.grants.network.any || timetable.grants.network.abstract_sockets));
  CHECK(timetable.grants.secrets == std::vector<std::string>{"key", "token"});
  CHECK(timetable.secrets.at("key").file.ends_with("/secret.txt"));
  CHECK(timetable.secrets.at("token").environment == "TOKEN");
  CHECK(timetable.grants.memory == 256u << 20);
  CHECK(timetable.grants.processes == 3);
  CHECK(timetable.grants.cpu_seconds == 90);
  CHECK(timetable.grants.open_files == 64);
  CHECK(timetable.stall == std::chrono::minutes(5));
  CHECK(timetable.sha256.size() == 1);
  CHECK(settings.plugins.at("bare").grants.processes > 0);
}

TEST_CASE("a plugin's entry changes what it names and leaves the shipped rest") {
  CHECK(with("").plugins.at("core").grants.exec);
  const auto core = with("plugins: {core: {memory: 2GiB}}").plugins.at("core");
  CHECK(core.grants.memory == std::uint64_t{2} << 30);
  CHECK(core.grants.exec);
  CHECK(core.grants.network.any);
  CHECK_FALSE(with("plugins: {core: {exec: false}}").plugins.at("core").grants.exec);
}

TEST_CASE("what is wrong in a plugin's entry is told with its place") {
  const auto problems = [](const std::string& entry) {
    try {
      with("plugins:\n  x: " + entry + "\n");
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(problems("{memry: 1GiB}"), Catch::Contains("unknown option 'memry'") && Catch::Contains("memory"));
  CHECK_THAT(problems("{network: {conect: [1]}}"), Catch::Contains("plugins.x.network.conect"));
  CHECK_THAT(problems("{network: {connect: [0]}}"), Catch::Contains("1 to 65535"));
  CHECK_THAT(problems("{secrets: {a: {}}}"), Catch::Contains("plugins.x.secrets.a") && Catch::Contains("one source"));
  CHECK_THAT(problems("{secrets: {a: {file: b, env: C}}}"), Catch::Contains("one source"));
  CHECK_THAT(problems("{exec: yes}"), Catch::Contains("true or false"));
  CHECK_THAT(problems("{sha256: [abc]}"), Catch::Contains("64 lower-case"));
  CHECK_THAT(problems("{network: {abstract_sockets: true}}"), Catch::Contains("unix_sockets"));
}

TEST_CASE("the command line wins over the file") {
  const Settings settings =
      with("node: {name: file}\nlog: {level: debug}\nplugin_dirs: [/a]\n",
           {"--node-name", "flag", "--plugin-dir=/b", "--plugin-dir", "/c", "--database-url=host=x user=y"});
  CHECK(settings.node_name == "flag");
  CHECK(settings.log_level == base::log::Level::debug);
  CHECK(settings.plugin_dirs == std::vector<std::string>{"/b", "/c"});
  CHECK(settings.database_url == "host=x user=y");
}

TEST_CASE("all problems of the file are told at once, with places and suggestions") {
  CHECK(refused("state_dri: /x\nengine: {drain_timeout: soon, active_runs_max: 0}\nroles: {viewers: {}, admin: {user: "
                "[x]}}\nlimits: [1]\nlog: {level: loud}\n") ==
        "godwit.yaml:1:1 (state_dri): unknown option 'state_dri'; did you mean 'state_dir'?\n"
        "godwit.yaml:2:25 (engine.drain_timeout): a duration is needed here, such as 30s or 1h30m\n"
        "godwit.yaml:2:48 (engine.active_runs_max): a whole number from 1 to 1000000 is needed here\n"
        "godwit.yaml:3:18 (roles.viewers): unknown role 'viewers'; did you mean 'viewer'?\n"
        "godwit.yaml:3:36 (roles.admin.user): unknown key 'user'; did you mean 'users'?\n"
        "godwit.yaml:4:9 (limits): a map is needed here, not a list\n"
        "godwit.yaml:5:14 (log.level): one of debug, info, warning, error is needed here");
  CHECK(refused("database: {ulr: x}").find("unknown option 'ulr'; did you mean 'url'?") != std::string::npos);
  CHECK(refused("node: {name: [a]}", {"--node-name", "x"}).find("text is needed here, not a list") !=
        std::string::npos);
  CHECK(refused("socket: /" + std::string(120, 'x')).find("longer than the system allows") != std::string::npos);
  CHECK(refused("a: [").find("godwit.yaml:1:") == 0);
  CHECK(refused("socket_mode: 999").find("in octal") != std::string::npos);
  // A line of the control socket has to carry it.
  CHECK(refused("control: {submit_max: 8MiB}").find("a size from 1024 to 7340032 bytes") != std::string::npos);
  CHECK(refused("providers: {flights: x}").find("is not a contract") != std::string::npos);
}

TEST_CASE("a wrong command line is a usage error that names all of it") {
  CHECK(usage_error({"--stat-dir", "/x"}) ==
        "unknown argument '--stat-dir'; did you mean '--state-dir'?\nunknown argument '/x'");
  CHECK(usage_error({"--socket"}) == "--socket needs a value");
  CHECK(usage_error({"--socket", "/a", "--socket=/b"}) == "--socket is given twice");
  CHECK(usage_error({"--log-level", "loud"}) == "--log-level: one of debug, info, warning, error is needed here");
  CHECK_THROWS_WITH(read_settings({"--config", "/nonexistent/x.yaml"}, user()),
                    Catch::Contains("/nonexistent/x.yaml: the settings file cannot be read"));
  CHECK(read_settings({"--help"}, user()).request == Request::help);
  CHECK(read_settings({"--version"}, user()).request == Request::version);
  CHECK(read_settings({"--print-config"}, user()).request == Request::print_config);
}

TEST_CASE("an empty path is refused, but for the options that say what it means") {
  const std::string empty =
      "the path is empty; leave it out for the default; a variable that is not set makes an empty one";
  for (const char* flag : {"--state-dir", "--socket", "--config"}) {
    CHECK(usage_error({flag, ""}) == flag + (": " + empty));
    CHECK(usage_error({flag + std::string("=")}) == flag + (": " + empty));
  }
  CHECK(usage_error({"--job-dir", "/a", "--job-dir", ""}) == "--job-dir[1]: " + empty);
  CHECK(refused("state_dir: \"\"\nplugin_dirs: [/a, \"\"]\nplugins: {x: {files: {write: [\"\"]}}}") ==
        "godwit.yaml:1:12 (state_dir): " + empty + "\ngodwit.yaml:2:19 (plugin_dirs[1]): " + empty +
            "\ngodwit.yaml:3:31 (plugins.x.files.write[0]): " + empty);
  CHECK_THAT(refused("state_dir:\n"), Catch::Contains("(state_dir): the path is empty"));
  const auto standard =
      with("host_program: \"\"\negress_program: \"\"\n", {"--database-bin-dir", "", "--database-url="});
  CHECK(standard.host_program == "/opt/godwit/bin/godwit-host");
}

TEST_CASE("the shipped settings file is what the table of options prints") {
  std::ifstream in(GODWIT_SOURCE_DIR "/etc/godwit.yaml");
  std::ostringstream text;
  text << in.rdbuf();
  CHECK(text.str() == config::settings_file());
}

TEST_CASE("the shipped settings file can be read, as it is and with every option uncommented") {
  const Settings standard = with("");
  const std::string file = config::settings_file();
  CHECK(with(file).active_runs_max == standard.active_runs_max);
  std::string uncommented;
  std::istringstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t mark = line.find('#');
    if (mark != std::string::npos && mark + 1 < line.size() && line[mark + 1] != ' ') line.erase(mark, 1);
    uncommented += line + "\n";
  }
  const Settings all = with(uncommented);
  CHECK(all.state_dir == "/var/lib/godwit");
  CHECK(all.drain_timeout == standard.drain_timeout);
  CHECK(all.submit_max == standard.submit_max);
  CHECK(all.node_name == "machine");
}

TEST_CASE("the help names every flag") {
  const std::string help = config::settings_help();
  for (const auto& option : config::options()) CHECK(help.find(option.flag) != std::string::npos);
}

TEST_CASE("sizes are read with their units") {
  CHECK(config::parse_bytes("10") == std::size_t{10});
  CHECK(config::parse_bytes("4MiB") == std::size_t{4u << 20});
  CHECK(config::parse_bytes("2 KiB") == std::size_t{2048});
  CHECK_FALSE(config::parse_bytes("2MB"));
  CHECK_FALSE(config::parse_bytes("-1"));
  CHECK_FALSE(config::parse_bytes("99999999999999999999"));
  CHECK_FALSE(config::parse_bytes(""));
}
