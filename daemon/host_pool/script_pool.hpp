#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.hpp"
#include "engine/scripts.hpp"
#include "host_pool/host_process.hpp"
#include "wire/script_messages.hpp"

namespace godwit::host_pool {

struct ScriptPoolSettings {
  std::string program;        // absolute path of godwit-host
  std::size_t processes = 2;  // machines are spread over so many
  base::Duration ping_interval = std::chrono::seconds(5);
  int missed_pongs_max = 6;
};

// Runs scripts in a few host processes, each with many machines. A process that dies takes its machines with it; their
// listeners hear of it and may start them again, in a new process. Used on the engine's thread.
class ScriptPool : public engine::Scripts {
 public:
  ScriptPool(boost::asio::io_context& context, ScriptPoolSettings settings);
  ~ScriptPool() override;

  std::uint64_t start(engine::ScriptStart start, engine::ScriptListener& listener) override;
  void answer(std::uint64_t machine, std::uint64_t request, model::script::Outcome outcome) override;
  void drop(std::uint64_t machine) override;

  // Kills the processes; no listener hears of it.
  void stop();
  base::json::array status() const;

 private:
  class Shard;
  struct Machine {
    Shard* shard = nullptr;
    engine::ScriptListener* listener = nullptr;
  };

  Shard& shard_for(std::uint64_t machine);

  boost::asio::io_context& context_;
  ScriptPoolSettings settings_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unordered_map<std::uint64_t, Machine> machines_;
  std::uint64_t last_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace godwit::host_pool
