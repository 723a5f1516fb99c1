#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "integration/store/facts.hpp"
#include "store/postgres_binaries.hpp"
#include "store/postmaster.hpp"
#include "store/private_cluster.hpp"
#include "support/file_text.hpp"
#include "support/temp_dir.hpp"

using namespace godwit;
using namespace godwit::support;

namespace {

// A store with a cluster of its own.
class Own {
 public:
  explicit Own(const std::filesystem::path& state_dir) : store({{}, "one", state_dir, {}}, loop, &loop) {
    loop.get<engine::Nothing>([this](auto answer) { store.start(std::move(answer)); });
  }
  std::int64_t pid() const { return store.status().at("cluster").at("pid").as_int64(); }

  Loop loop;
  store::PostgresStore store;
};

}  // namespace

TEST_CASE("A daemon without a URL makes a cluster, finds it again, and stops it with itself", "[store]") {
  const TempDir folder;
  std::string id;
  std::int64_t pid = 0;
  {
    Own own(folder / "state");
    id = own.store.store_id();
    pid = own.pid();
    const auto status = own.store.status();
    CHECK(status.at("state") == "up");
    CHECK(status.at("private") == true);
    CHECK_FALSE(status.contains("warnings"));
    CHECK(kill(static_cast<pid_t>(pid), 0) == 0);
    own.store.stop();
    CHECK(kill(static_cast<pid_t>(pid), 0) != 0);
  }
  Own own(folder / "state");
  CHECK(own.store.store_id() == id);
}

TEST_CASE("A cluster whose folder lies too deep for a socket has it elsewhere", "[store]") {
  const TempDir folder;
  const auto deep = folder.path() / std::string(100, 'd');
  std::string id;
  {
    Own own(deep);
    id = own.store.store_id();
    CHECK(std::filesystem::exists(deep / "postgres/socket_dir"));
  }
  Own own(deep);
  CHECK(own.store.store_id() == id);
  std::ifstream memory(deep / "postgres/socket_dir");
  std::string socket_dir;
  std::getline(memory, socket_dir);
  own.store.stop();
  std::filesystem::remove_all(socket_dir);
}

TEST_CASE("A server left behind by a killed daemon is taken over, and ended with the next one", "[store]") {
  const TempDir folder;
  // The former life: a process that starts the cluster and is killed without a chance to stop it.
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t daemon = fork();
  if (daemon == 0) {
    store::PrivateCluster cluster(folder / "state", "");
    cluster.start();
    const pid_t pid = cluster.pid();
    [[maybe_unused]] const auto written = write(ready[1], &pid, sizeof pid);
    for (;;) pause();
  }
  pid_t server = 0;
  REQUIRE(read(ready[0], &server, sizeof server) == sizeof server);
  close(ready[0]);
  close(ready[1]);
  {
    // It is up when it has its socket and has written where that is.
    Loop loop;
    REQUIRE(loop.wait([&] {
      const auto file = store::parse_postmaster_file(file_text(folder / "state/postgres/data/postmaster.pid"));
      return file && !file->socket_dir.empty();
    }));
  }
  kill(daemon, SIGKILL);
  waitpid(daemon, nullptr, 0);
  Own own(folder / "state");
  CHECK(own.pid() == server);
  CHECK(own.store.status().at("cluster").at("adopted") == true);
  own.store.stop();
  CHECK_FALSE(std::filesystem::exists(folder / "state/postgres/data/postmaster.pid"));
}

TEST_CASE("What a killed server leaves behind does not keep the next one from starting", "[store]") {
  const TempDir folder;
  Own own(folder / "state");
  // A session that computes does not notice that its postmaster is gone.
  const auto url = "host=" + (folder / "state/postgres/socket").string() +
                   " user=godwit dbname=godwit options='-c statement_timeout=60s'";
  const std::unique_ptr<PGconn, decltype(&PQfinish)> session(PQconnectdb(url.c_str()), PQfinish);
  REQUIRE(PQsendQuery(session.get(), "do $$ begin loop end loop; end $$") == 1);
  const auto leftover = static_cast<pid_t>(PQbackendPID(session.get()));
  const auto killed = own.pid();
  kill(static_cast<pid_t>(killed), SIGKILL);
  CHECK(own.loop.wait([&] { return own.pid() != killed; }));
  const auto numbers =
      own.loop.get<std::vector<model::RunId>>([&](auto answer) { own.store.allocate_runs(1, std::move(answer)); });
  CHECK(numbers.size() == 1);
  // One more, should the leftover take long to end: the first server then finds its memory in use.
  CHECK(own.store.status().at("cluster").at("restarts").to_number<int>() <= 2);
  // Ended, though perhaps not reaped: such a process works in no folder any more.
  std::error_code ended;
  CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(leftover) + "/cwd", ended).empty());
}

TEST_CASE("A cluster that was half made is made anew", "[store]") {
  const TempDir folder;
  std::filesystem::create_directories(folder / "state/postgres.new/data/base");
  Own own(folder / "state");
  CHECK(own.store.status().at("state") == "up");
  CHECK_FALSE(std::filesystem::exists(folder / "state/postgres.new"));
}

TEST_CASE("A cluster is served by the version that made it, or the error says which that is", "[store]") {
  const TempDir folder;
  std::filesystem::create_directories(folder / "state/postgres/data");
  std::ofstream(folder / "state/postgres/data/PG_VERSION") << "9\n";
  const auto refusal = [&](const std::string& bin_dir) {
    try {
      store::PrivateCluster(folder / "state", bin_dir).start();
    } catch (const base::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal("").find("the cluster was made by PostgreSQL 9, whose programs are not installed") !=
        std::string::npos);
  const auto newer = store::find_postgres_binaries({});
  CHECK(refusal(newer).find(", but the cluster was made by PostgreSQL 9") != std::string::npos);
}

TEST_CASE("Where PostgreSQL is not installed the error says what to do", "[store]") {
  const TempDir folder;
  Loop loop;
  store::PostgresStore store({{}, "one", folder / "state", folder.path()}, loop);
  try {
    loop.get<engine::Nothing>([&](auto answer) { store.start(std::move(answer)); });
    FAIL("it must not start");
  } catch (const base::Error& error) {
    CHECK(std::string(error.what()).find("initdb") != std::string::npos);
  }
  CHECK(store.status().at("state") == "down");
}

TEST_CASE("A URL that cannot be read is refused at once", "[store]") {
  Loop loop;
  store::PostgresStore store({"postgresql://[", "one", {}, {}}, loop);
  CHECK_THROWS_AS(loop.get<engine::Nothing>([&](auto answer) { store.start(std::move(answer)); }), base::Error);
}
