#pragma once
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>

#include "host_pool/host_pool.hpp"

namespace godwit::lab {

// Calls of installed plugins, made for real while the job's clock stands still. They end in the order in which they
// were started, so that a test goes the same way each time.
class RealCalls {
 public:
  RealCalls(const host_pool::PluginCatalog& catalog, host_pool::HostSettings settings);
  ~RealCalls();

  // Numbers are never 0.
  std::uint64_t start(std::shared_ptr<const engine::Callable> callable, engine::StepCall call,
                      engine::StepListener& listener);
  void cancel(std::uint64_t number);
  // The listeners of all calls are gone.
  void forget();

  bool busy() const { return !calls_.empty(); }
  // Blocks until something has happened to a call.
  void wait();

 private:
  class Call;

  boost::asio::io_context context_;
  host_pool::HostPool pool_;
  std::map<std::uint64_t, std::unique_ptr<Call>> calls_;      // by number
  std::map<std::uint64_t, std::unique_ptr<Call>> forgotten_;  // until the pool has told their end
};

}  // namespace godwit::lab
