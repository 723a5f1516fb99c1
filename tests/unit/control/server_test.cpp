#include "server_fixture.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <fstream>

using namespace godwit;
using namespace godwit::control;
using namespace std::chrono_literals;

namespace {

int code_of(const json::object& answer) { return static_cast<int>(answer.at("error").at("code").as_int64()); }
int code(base::ErrorKind kind) { return base::info(kind).rpc_code; }
std::string message_of(const json::object& answer) { return std::string(answer.at("error").at("message").as_string()); }

ServerSettings short_deadlines() {
  ServerSettings settings;
  settings.limits.line_deadline = 50ms;
  settings.limits.stuck_deadline = 100ms;
  return settings;
}

}  // namespace

TEST_CASE("A client gets its answers, each with the id of its request") {
  ServerFixture server;
  auto client = server.client();
  const auto answer = client.call(7, "ping");
  CHECK(answer.at("id") == 7);
  CHECK(answer.at("result") == "pong");
  CHECK(client.call(8, "who").at("result") == static_cast<std::int64_t>(::geteuid()));
}

TEST_CASE("Requests are answered out of order when their work ends out of order") {
  ServerFixture server;
  auto client = server.client();
  REQUIRE(client.send(R"({"jsonrpc":"2.0","id":"slow","method":"hold"})" "\n"));
  CHECK(client.call(2, "ping").at("id") == 2);
  server.on_loop([&] { server.held.at(0).result("late"); });
  CHECK(client.message().at("id") == "slow");
}

TEST_CASE("A request in pieces of one byte is a request") {
  ServerFixture server;
  auto client = server.client();
  for (const char c : std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping"})" "\r\n")) REQUIRE(client.send(std::string_view(&c, 1)));
  CHECK(client.message().at("result") == "pong");
}

TEST_CASE("A thousand requests written at once are all answered") {
  ServerFixture server;
  auto client = server.client();
  std::string lines;
  for (int i = 0; i < 1000; ++i) wire::encode_rpc_request({i, "ping", {}}, lines);
  REQUIRE(client.send(lines));
  for (int i = 0; i < 1000; ++i) REQUIRE(client.message().at("id") == i);
}

TEST_CASE("Errors of commands reach the client with everything they say") {
  ServerFixture server;
  auto client = server.client();
  const auto refused = client.call(1, "refuse");
  CHECK(code_of(refused) == code(base::ErrorKind::refused));
  CHECK(message_of(refused) == "a.yaml:3:7 (stages): bad; mend it");
  CHECK(refused.at("error").at("data").at("problems").as_array().size() == 2);
  CHECK(code_of(client.call(2, "bug")) == code(base::ErrorKind::internal));
  CHECK(code_of(client.call(3, "forget")) == code(base::ErrorKind::internal));
  CHECK(client.call(4, "ping").at("result") == "pong");
}

TEST_CASE("A method or parameter that does not exist is refused with the nearest one") {
  ServerFixture server;
  auto client = server.client();
  const auto method = client.call(1, "pingg");
  CHECK(code_of(method) == wire::kRpcMethodNotFound);
  CHECK(message_of(method).find("ping") != std::string::npos);
  const auto parameter = client.call(2, "echo", {{"waht", json::object()}});
  CHECK(code_of(parameter) == code(base::ErrorKind::refused));
  CHECK(message_of(parameter) == "unknown parameter 'waht'; did you mean 'what'?");
  CHECK(parameter.at("error").at("data").at("problems").as_array().size() == 2);
  CHECK(message_of(client.call(3, "echo", {{"what", 7}})) == "parameter 'what' must be an object");
  CHECK(message_of(client.call(4, "echo", {{"what", nullptr}})).find("is missing") != std::string::npos);
}

TEST_CASE("Garbage is answered with a parse error and ends the connection when it is repeated") {
  ServerFixture server;
  auto client = server.client();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send("GET / HTTP/1.1\r\n"));
    CHECK(code_of(client.message()) == wire::kRpcParseError);
  }
  CHECK(client.closed());
  CHECK(server.client().call(1, "ping").at("result") == "pong");
}

TEST_CASE("A line of nine MiB is refused without being kept, and one below the limit is taken") {
  ServerFixture server;
  auto client = server.client();
  std::string line;
  wire::encode_rpc_request({1, "echo", {{"what", json::object{{"text", std::string(wire::kRpcLineMax - 1000, 'x')}}}}}, line);
  REQUIRE(client.send(line));
  CHECK(client.message().at("id") == 1);
  client.send(std::string(9u << 20, 'x'));  // the daemon may close before all of it is out
  const auto answer = client.message();
  CHECK(code_of(answer) == wire::kRpcInvalidRequest);
  CHECK(client.closed());
  CHECK(server.wait_for_sessions(0));
  CHECK(server.status().at("buffered_bytes") == 0);
}

TEST_CASE("An answer too long for a line becomes an error that says so") {
  ServerFixture server;
  auto client = server.client();
  CHECK(code_of(client.call(1, "big", {{"bytes", 9u << 20}})) == code(base::ErrorKind::refused));
  CHECK(client.call(2, "big", {{"bytes", 8'000'000}}).at("result").as_string().size() == 8'000'000);
}

TEST_CASE("A client that hangs up after any byte of its request leaves nothing behind") {
  ServerFixture server;
  const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"hold"})" "\n";
  for (std::size_t length = 0; length <= line.size(); ++length) REQUIRE(server.client().send(line.substr(0, length)));
  while (server.status().at("accepted").to_number<std::size_t>() <= line.size()) std::this_thread::yield();
  CHECK(server.wait_for_sessions(0));
  CHECK(server.status().at("buffered_bytes") == 0);
  CHECK(server.client().call(1, "ping").at("result") == "pong");
  server.on_loop([&] {
    CHECK(server.held.size() <= 1);
    for (const auto& reply : server.held) reply.result("nobody listens");
  });
}

TEST_CASE("A client that says it will send no more still gets its answers") {
  ServerFixture server;
  auto client = server.client();
  REQUIRE(client.send(R"({"jsonrpc":"2.0","id":1,"method":"hold"})" "\n"));
  CHECK(client.call(2, "ping").at("id") == 2);
  ::shutdown(client.fd(), SHUT_WR);
  server.on_loop([&] { server.held.at(0).result("late"); });
  CHECK(client.message().at("result") == "late");
  CHECK(client.closed());
}

TEST_CASE("A request that is begun and not ended is refused at its deadline") {
  ServerFixture server(short_deadlines());
  auto idle = server.client();
  auto slow = server.client();
  REQUIRE(slow.send(R"({"jsonrpc":"2.0",)"));
  CHECK(message_of(slow.message()).find("complete within 50ms") != std::string::npos);
  CHECK(slow.closed());
  CHECK(idle.call(1, "ping").at("result") == "pong");  // a connection without a request may stay
}

TEST_CASE("A client that never reads is disconnected, and others do not notice") {
  ServerSettings settings = short_deadlines();
  settings.limits.stuck_deadline = 60s;
  ServerFixture server(settings);
  auto deaf = server.client();
  auto other = server.client();
  SECTION("when its events pass the bound") {
    REQUIRE(deaf.send(R"({"jsonrpc":"2.0","id":1,"method":"watch","params":{"events":1000000}})" "\n"));
    CHECK(other.call(1, "ping").at("result") == "pong");
    CHECK(server.wait_for_sessions(1));
    server.on_loop([&] { CHECK(server.ended_subscriptions.size() == 1); });
  }
  SECTION("but not by answers, for which it has to wait itself") {
    std::string lines;
    for (int i = 0; i < 40; ++i) wire::encode_rpc_request({i, "big", {{"bytes", 1'000'000}}}, lines);
    REQUIRE(deaf.send(lines));
    CHECK(other.call(1, "ping").at("result") == "pong");
    for (int i = 0; i < 40; ++i) REQUIRE(deaf.message().at("id") == i);
  }
}

TEST_CASE("A client that takes nothing for too long is disconnected") {
  ServerFixture server(short_deadlines());
  auto deaf = server.client();
  REQUIRE(deaf.send(R"({"jsonrpc":"2.0","id":1,"method":"big","params":{"bytes":4000000}})" "\n"));
  while (server.status().at("accepted") != 1) std::this_thread::yield();
  CHECK(server.wait_for_sessions(0));
}

TEST_CASE("The buffers of all clients together are bounded; the largest goes first") {
  ServerSettings settings;
  settings.buffers_max = 4u << 20;
  ServerFixture server(settings);
  auto small = server.client();
  CHECK(small.call(1, "ping").at("result") == "pong");
  std::vector<TestClient> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(server.client());
    REQUIRE(clients.back().send(R"({"jsonrpc":"2.0","id":1,"method":"big","params":{"bytes":1000000}})" "\n"));
  }
  while (server.status().at("accepted") != 9) std::this_thread::yield();
  while (server.status().at("sessions") == 9) std::this_thread::yield();
  CHECK(small.call(2, "ping").at("result") == "pong");
  CHECK(server.status().at("buffered_bytes").to_number<std::size_t>() <= settings.buffers_max);
  CHECK(small.call(3, "ping").at("result") == "pong");
}

TEST_CASE("Of three hundred connections those beyond the limit are told why, and the rest work") {
  ServerFixture server;
  std::vector<TestClient> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(server.client());
  int served = 0, refused = 0;
  for (auto& client : clients) {
    REQUIRE(client.connected());
    const auto answer = client.call(1, "ping");
    if (answer.contains("result")) ++served;
    if (answer.contains("error") && code_of(answer) == code(base::ErrorKind::unavailable)) ++refused;
  }
  CHECK(served + refused == 300);
  CHECK(served == 256);
  clients.clear();
  CHECK(server.wait_for_sessions(0));
  CHECK(server.client().call(1, "ping").at("result") == "pong");
}

TEST_CASE("Requests beyond the number in flight wait for their turn") {
  ServerSettings settings;
  settings.limits.requests_in_flight_max = 2;
  ServerFixture server(settings);
  auto client = server.client();
  std::string lines;
  for (int i = 0; i < 5; ++i) wire::encode_rpc_request({i, "hold", {}}, lines);
  REQUIRE(client.send(lines));
  for (std::size_t answered = 0; answered < 5; ++answered) {
    std::size_t held = 0;
    while (held <= answered) server.on_loop([&] { held = server.held.size(); });
    CHECK(held <= answered + 2);
    server.on_loop([&] { server.held.at(answered).result("done"); });
    CHECK(client.message().at("id") == answered);
  }
}

TEST_CASE("A role decides which commands a user may call") {
  RoleSettings settings;
  settings.viewers.groups = {"1000"};
  settings.operators.users = {"1001"};
  settings.admins.users = {"1002", "nobody-has-this-name"};
  settings.admins.groups = {"2000"};
  settings.viewers.users = {"65534"};
  const RolePolicy policy(settings, 777);
  CHECK(policy.role_of(1000, {1000}) == Role::viewer);
  CHECK(policy.role_of(1001, {1000}) == Role::operator_);
  CHECK(policy.role_of(1002, {}) == Role::admin);
  CHECK(policy.role_of(1003, {5, 2000}) == Role::admin);
  CHECK(policy.role_of(1003, {5}) == Role::none);
  CHECK(policy.role_of(0, {}) == Role::admin);
  CHECK(policy.role_of(777, {}) == Role::admin);
  CHECK(policy.role_of(65534, {2000}) == Role::none);
  CHECK(policy.role_of(static_cast<uid_t>(-1), {2000}) == Role::none);
  REQUIRE(policy.problems().size() == 1);
  CHECK(policy.problems()[0].place.path == "admins");
  // The names are looked up at the start, and a reload does not do it again.
  CHECK_THAT(policy.problems()[0].hint, Catch::Contains("has been started again"));
}

TEST_CASE("A daemon that waits for its end answers questions, old clients' and new ones', and changes nothing") {
  ServerFixture server;
  auto early = server.client();
  CHECK(early.call(1, "change").at("result") == "changed");
  server.take_no_changes("it ends in 7s");
  auto late = server.client();
  for (auto* client : {&early, &late}) {
    CHECK(client->call(2, "ping").at("result") == "pong");
    const auto refused = client->call(3, "change");
    CHECK(code_of(refused) == code(base::ErrorKind::unavailable));
    CHECK(message_of(refused).find("it ends in 7s") != std::string::npos);
  }
  CHECK(server.status().at("ending") == "it ends in 7s");
}

TEST_CASE("A socket nobody answers on is replaced; a living one and a file are left alone") {
  ServerFixture server;
  CHECK_THROWS_AS(Listener::open({server.path()}), base::Error);
  CHECK(server.client().call(1, "ping").at("result") == "pong");

  const std::string stale = server.path() + ".stale";
  {
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, stale.c_str(), stale.size() + 1);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  {
    ListenerSettings settings{stale};
    settings.mode = 0600;
    const auto listener = Listener::open(settings);
    struct stat made {};
    REQUIRE(::stat(stale.c_str(), &made) == 0);
    CHECK((made.st_mode & 07777) == 0600);
    CHECK(TestClient(stale).connected());
  }
  CHECK_FALSE(std::filesystem::exists(stale));

  const std::string file = server.path() + ".file";
  std::ofstream(file) << "precious";
  CHECK_THROWS_AS(Listener::open({file}), base::Error);
  CHECK(std::filesystem::file_size(file) == 8);
  CHECK_THROWS_AS(Listener::open({"/tmp/" + std::string(200, 'x')}), base::Error);
}

TEST_CASE("Folders that are made for the socket get the mode that was asked for") {
  ServerFixture server;
  const std::string folder = server.path() + ".d";
  ListenerSettings settings{folder + "/deeper/control.sock"};
  settings.directory_mode = 0700;
  const auto listener = Listener::open(settings);
  struct stat made {};
  REQUIRE(::stat((folder + "/deeper").c_str(), &made) == 0);
  CHECK((made.st_mode & 07777) == 0700);
}
