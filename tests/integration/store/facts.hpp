#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/connection.hpp"
#include "store/postgres_store.hpp"
#include "support/postgres.hpp"

namespace godwit::support {

// A store on a database of the shared server, with the waiting that tests need around it.
class Life {
 public:
  explicit Life(const std::string& url, const std::string& node = "one",
                base::Duration call_limit = std::chrono::seconds(10))
      : store(store::StoreSettings{url, node, {}, {}, call_limit}, loop, &loop) {
    loop.get<engine::Nothing>([this](auto answer) { store.start(std::move(answer)); });
  }

  engine::Verdict append(std::vector<engine::Fact> facts) {
    std::optional<engine::Verdict> verdict;
    store.append(std::move(facts), [&](engine::Verdict given) { verdict = std::move(given); });
    if (!loop.wait([&] { return verdict.has_value(); })) throw std::runtime_error("no verdict came");
    return *verdict;
  }
  std::vector<model::RunId> numbers(std::size_t count) {
    return loop.get<std::vector<model::RunId>>([&](auto answer) { store.allocate_runs(count, std::move(answer)); });
  }
  std::vector<engine::UnfinishedRun> unfinished(std::size_t limit = 10'000, model::RunId after = model::RunId(0)) {
    return loop.get<std::vector<engine::UnfinishedRun>>(
        [&](auto answer) { store.load_unfinished(after, limit, std::move(answer)); });
  }
  // Stops the store and makes sure that the node's lease ended with it: a busy server may not hear of it in time.
  void leave(const std::string& url);
  // Submits a run and gives its number.
  model::RunId submit(const std::string& job = "flock");

  Loop loop;
  store::PostgresStore store;
};

engine::Submitted submitted(model::RunId run, const std::string& job = "flock", const std::string& key = {});
engine::StepDone step(model::RunId run, const std::string& path, const std::string& output = R"({"price":12.5})");
engine::RunDone done(model::RunId run);
base::Instant moment(int second = 0);

// Asks the database directly, on a connection of its own.
pqxx::result sql(const std::string& url, const std::string& statement);
std::int64_t count(const std::string& url, const std::string& statement);

}  // namespace godwit::support
