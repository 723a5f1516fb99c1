// Goal: what plugins reach through extensions is what the operator lets them have, and nothing else. Method: a plugin
// that asks, on real host processes, with servers on the loopback and files in a folder of the test.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "artifact/files.hpp"
#include "pool_world.hpp"
#include "support/temp_dir.hpp"
#include "support/tiny_server.hpp"

using namespace godwit;
using support::Listener;
using support::PoolWorld;
using support::TinyServer;
namespace json = base::json;

namespace {

struct World {
  explicit World(std::vector<std::string> hosts = {}) : pool(settings(std::move(hosts))) {}

  host_pool::HostSettings settings(std::vector<std::string> hosts) {
    std::ofstream(dir / "key") << "s3cret\n";
    ::setenv("GODWIT_TEST_SECRET", "from the environment", 1);
    host_pool::HostSettings result;
    result.extensions.artifact_dir = (dir / "artifacts").string();
    result.extensions.artifact_size_max = 1u << 20;
    auto& plugin = result.plugins["test.reach"];
    plugin.grants.network.hosts = std::move(hosts);
    plugin.secrets = {{"key", {(dir / "key").string(), ""}},
                      {"variable", {"", "GODWIT_TEST_SECRET"}},
                      {"gone", {(dir / "no such file").string(), ""}}};
    return result;
  }
  std::string ask(const json::object& input) { return pool.output(pool.start("reach", json::serialize(input))); }

  support::TempDir dir;
  PoolWorld pool;
};

const std::string kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

std::string redirect_to(const std::string& url) {
  return "HTTP/1.1 302 Found\r\nLocation: " + url + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

}  // namespace

TEST_CASE("a plugin speaks HTTP with the hosts it is allowed") {
  TinyServer server(kAnswer);
  World world({server.host()});
  CHECK(world.ask({{"do", "http"}, {"url", server.url()}, {"body", "ping"}, {"headers", {{"X-Key", "7"}}}}) ==
        R"({"status":200,"body":"hello","type":"text/plain"})");
  CHECK_THAT(server.request(), Catch::Contains("POST / ") && Catch::Contains("X-Key: 7") && Catch::Contains("ping"));
  CHECK_THAT(world.ask({{"do", "http"}, {"url", server.url()}, {"max_body", 3}}), Catch::Contains("too_big"));
  CHECK_THAT(world.ask({{"do", "http"}, {"url", "file:///etc/passwd"}}), Catch::Contains("bad_request"));
  CHECK_THAT(world.ask({{"do", "http"}, {"url", server.url()}, {"headers", {{"X\r\nY", "7"}}}}),
             Catch::Contains("bad_request"));
}

TEST_CASE("other hosts, other ports and redirects to them are refused") {
  TinyServer target(kAnswer);
  TinyServer server(redirect_to(target.url()));
  World world({server.host()});
  CHECK_THAT(world.ask({{"do", "http"}, {"url", target.url()}}), Catch::Contains("host_not_allowed"));
  CHECK_THAT(world.ask({{"do", "http"}, {"url", server.url()}, {"follow", true}}), Catch::Contains("host_not_allowed"));
  CHECK(target.request().empty());
  CHECK_THAT(world.ask({{"do", "http"}, {"url", server.url()}}), Catch::Contains("\"status\":302"));
  World open({server.host(), target.host()});
  CHECK_THAT(open.ask({{"do", "http"}, {"url", server.url()}, {"follow", true}, {"headers", {{"Authorization", "k"}}}}),
             Catch::Contains("hello"));
}

TEST_CASE("a server that is not there is a failure for now, and the status decides when it is asked to") {
  TinyServer busy("HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  World world({"127.0.0.1:*"});
  auto& refused = world.pool.start("reach", R"({"do": "http", "url": "http://127.0.0.1:1/"})");
  CHECK(world.pool.failure(refused).retryable);
  auto& limited = world.pool.start(
      "reach", json::serialize(json::object{{"do", "http"}, {"url", busy.url()}, {"expect_success", true}}));
  const auto failure = world.pool.failure(limited);
  CHECK(failure.code == "http_429");
  CHECK(failure.retry_after == std::chrono::seconds(7));
}

TEST_CASE("a request ends with its call") {
  TinyServer silent("");
  World world({"127.0.0.1:*"});
  // A server that takes connections and says nothing.
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(socket.get(), 4) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  auto& call = world.pool.start(
      "reach", R"({"do": "http", "url": "http://127.0.0.1:)" + std::to_string(ntohs(address.sin_port)) + R"(/"})",
      std::chrono::milliseconds(200));
  CHECK(world.pool.failure(call).code == "timeout");
}

TEST_CASE("secrets come from where the operator keeps them, and only those that are granted") {
  World world;
  CHECK(world.ask({{"do", "secret"}, {"name", "key"}}) == "\"s3cret\"");
  CHECK(world.ask({{"do", "secret"}, {"name", "variable"}}) == "\"from the environment\"");
  CHECK_THAT(world.ask({{"do", "secret"}, {"name", "other"}}), Catch::Contains("no_secret"));
  CHECK_THAT(world.ask({{"do", "secret"}, {"name", "gone"}}), Catch::Contains("failed"));
}

TEST_CASE("an artifact is stored once, by what was in it at the commit") {
  World world;
  auto& first = world.pool.start("reach", R"({"do": "store", "name": "a.txt", "text": "some text"})");
  const json::value reference = base::parse_json(world.pool.output(first));
  const std::string name(reference.at("artifact").as_string());
  CHECK(reference.at("size") == 9);
  CHECK(reference.at("media_type") == "text/plain");
  REQUIRE(first.artifacts.size() == 1);
  CHECK(artifact::name_of(first.artifacts[0].sha256) == name);
  CHECK(world.ask({{"do", "store"}, {"name", "b.txt"}, {"text", "some text"}}).find(name) != std::string::npos);
  CHECK(world.ask({{"do", "read"}, {"artifact", name}}) == "\"some text\"");
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.dir / "artifacts"))
    files += entry.is_regular_file() ? 1 : 0;
  CHECK(files == 1);
  CHECK_THAT(world.ask({{"do", "read"}, {"artifact", "sha256:" + std::string(64, '0')}}),
             Catch::Contains("no_artifact"));
  CHECK_THAT(world.ask({{"do", "read"}, {"artifact", "../../etc/passwd"}}), Catch::Contains("not valid"));
  CHECK_THAT(world.ask({{"do", "store"}, {"name", "a/b"}, {"text", "x"}}), Catch::Contains("not valid"));
  CHECK_THAT(world.ask({{"do", "store"}, {"name", "big"}, {"text", std::string((1u << 20) + 1, 'x')}}),
             Catch::Contains("too big"));
  // Who fills a file without end is stopped by the kernel, long before anybody wants to keep it.
  CHECK_THAT(world.ask({{"do", "store"}, {"name", "endless"}, {"text", std::string(3u << 20, 'x')}}),
             Catch::Contains("File too large"));
}

TEST_CASE("a call says what it cost and what the other side has left") {
  World world;
  auto& call = world.pool.start("reach", R"({"do": "cost", "limit": "tokens", "tokens": 812, "remaining": 40, "reset_ms": 2500})");
  CHECK(world.pool.output(call) == "true");
  CHECK(call.costs == std::vector<std::pair<std::string, std::int64_t>>{{"tokens", 812}});
  REQUIRE(call.quotas.size() == 1);
  CHECK(call.quotas[0].remaining == 40);
  CHECK(call.quotas[0].reset == std::chrono::milliseconds(2500));
  auto& wrong = world.pool.start("reach", R"({"do": "cost", "limit": "", "tokens": -1, "remaining": -1, "reset_ms": 0})");
  CHECK(world.pool.output(wrong) == "true");
  CHECK((wrong.costs.empty() && wrong.quotas.empty()));
}

TEST_CASE("an extension is given when the manifest names it and godwit has it") {
  World world;
  for (const char* id : {"godwit.http/1", "godwit.artifact/1", "godwit.limits/1", "godwit.secret/1"})
    CHECK(world.ask({{"do", "has"}, {"id", id}}) == "true");
  CHECK(world.ask({{"do", "has"}, {"id", "godwit.draft.unheard-of/1"}}) == "false");
  CHECK(world.pool.output(world.pool.start("quiet")) == "0");
}

namespace {

artifact::Stored put(const artifact::Files& files, const std::string& text) {
  const base::UniqueFd file = files.create();
  REQUIRE(::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return files.commit(file.get());
}

}  // namespace

TEST_CASE("files of the artifact store are named by their content and have a bound") {
  support::TempDir dir;
  const artifact::Files files((dir / "store").string(), 100);
  const auto stored = put(files, "abc");
  CHECK(stored.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(files.open(stored.sha256));
  CHECK_FALSE(files.open(std::string(64, 'a')));
  CHECK_THROWS_AS(put(files, std::string(101, 'x')), base::Error);
  CHECK(artifact::sha256_of("sha256:" + stored.sha256) == stored.sha256);
  CHECK(artifact::sha256_of("sha256:ABC").empty());
  CHECK(artifact::sha256_of("../" + stored.sha256).empty());
}

TEST_CASE("a file is removed only when nobody has stored it for long, and storing it again counts") {
  using namespace std::chrono_literals;
  support::TempDir dir;
  const artifact::Files files((dir / "store").string(), 100);
  CHECK(files.idle(0s).empty());
  CHECK(files.claim("nobody, while there is nothing"));
  const std::string old = put(files, "old").sha256;
  CHECK(files.claim("one"));
  CHECK(files.claim("one"));
  CHECK_FALSE(files.claim("another"));
  const std::string kept = put(files, "kept").sha256;
  for (const auto& name : {old, kept})
    std::filesystem::last_write_time(dir / "store" / name.substr(0, 2) / name,
                                     std::filesystem::file_time_type::clock::now() - 48h);
  put(files, "new");
  auto idle = files.idle(24h);
  std::sort(idle.begin(), idle.end());
  std::vector<std::string> both{old, kept};
  std::sort(both.begin(), both.end());
  CHECK(idle == both);
  put(files, "kept");
  CHECK_FALSE(files.remove(kept, 24h));
  CHECK(files.remove(old, 24h));
  CHECK_FALSE(files.remove(old, 24h));
  CHECK(files.open(kept));
  CHECK_FALSE(files.open(old));
  CHECK_FALSE(files.remove("../owner", 0s));
}

TEST_CASE("what is stored while it is removed is there afterwards, or was never said to be stored") {
  using namespace std::chrono_literals;
  support::TempDir dir;
  const artifact::Files files((dir / "store").string(), 100);
  std::atomic<bool> stop = false;
  std::thread remover([&] {
    while (!stop)
      for (const auto& name : files.idle(24h)) files.remove(name, 24h);
  });
  for (int i = 0; i < 300; ++i) {
    const std::string name = put(files, "the same").sha256;
    CHECK(files.open(name));
    std::filesystem::last_write_time(dir / "store" / name.substr(0, 2) / name,
                                     std::filesystem::file_time_type::clock::now() - 48h);
  }
  stop = true;
  remover.join();
}
