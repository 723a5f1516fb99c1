#pragma once
#include <godwit/plugin.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "check/guarded_bytes.hpp"

// Bytes that the checker's host lends to the plugin.
struct gw_buf {
  explicit gw_buf(gw_call* owner, std::string_view bytes) : call(owner), guarded(bytes) {}
  gw_call* call;
  godwit::check::GuardedBytes guarded;
  bool released = false;
};

namespace godwit::check {

// The functions of the host that give a status and so can fail.
enum class HostFunction {
  output,
  emit,
  checkpoint_put,
  checkpoint_get,
  invoke,
  http_request,
  secret_get,
  limits_cost,
  limits_quota,
  artifact_create,
  artifact_commit,
  artifact_open
};
inline constexpr std::array<std::string_view, 12> kHostFunctions{
    "output",       "emit",       "checkpoint_put",  "checkpoint_get",  "invoke",
    "http.request", "secret.get", "limits.cost", "limits.quota", "artifact.create", "artifact.commit", "artifact.open"};

// A host function that fails at its n-th call.
struct Fault {
  HostFunction function;
  int nth = 1;
  gw_status status = GW_FAILED;
};

// What a call is given and what it meets.
struct CallPlan {
  std::map<std::string, std::string> checkpoints;
  std::optional<Fault> fault;
  int attempt = 1;
  std::string key = "check/1";
  // The call's deadline: made up inputs can ask for a day's work. A call that does not heed it hangs, which the check's
  // own limit ends.
  std::chrono::milliseconds time = std::chrono::milliseconds(500);
  // Called with each checkpoint once it is stored; for killing the process there.
  std::function<void(const std::string& key, const std::string& value)> on_checkpoint;
};

}  // namespace godwit::check

// A call as the checker's host sees it: does what plugin.h promises, keeps no byte longer than it must, and writes down
// what the plugin does that the header forbids.
struct gw_call {
 public:
  explicit gw_call(godwit::check::CallPlan plan);
  gw_call(const gw_call&) = delete;
  gw_call& operator=(const gw_call&) = delete;
  ~gw_call();

  // For the host's functions.
  bool enter(godwit::check::HostFunction function, gw_status& status);
  gw_view text(gw_view view, const char* what, bool is_json = false);
  gw_buf* lend(std::string_view bytes);
  void release(gw_buf* buffer);
  void complain(const std::string& what);
  void on_run_thread(const char* function);
  // Notes the function for late_uses() when run() has returned.
  void must_not_have_ended(std::string_view function) const;
  // run() has returned: what was lent is gone.
  void end();

  void cancel() { cancelled_ = true; }
  bool cancelled() const;

  std::mutex mutex_;
  godwit::check::CallPlan plan_;
  std::int64_t deadline_ns_;
  std::array<int, godwit::check::kHostFunctions.size()> counts_{};
  std::optional<std::string> output_;
  bool output_failed_ = false;
  std::vector<std::pair<std::string, std::string>> emitted_;
  std::size_t emitted_size_ = 0;
  std::string failure_code_;
  std::string failure_text_;
  std::set<std::string> complaints_;
  std::set<int> drafts_;  // descriptors of artifact.create
  bool in_open_ = false;

 private:
  std::thread::id thread_;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> ended_ = false;
  std::list<std::unique_ptr<gw_buf>> buffers_;
};

namespace godwit::check {

// The table that plugins get. `extensions` are given; any other is absent. One set for the process.
const gw_host& fake_host();
void give_extensions(std::vector<std::string> extensions);

// Ends the call, and keeps it for a while so that a thread of the plugin that still uses it is caught.
void bury(std::unique_ptr<gw_call> call);
// The functions that were called for calls that had ended, in this process.
std::set<std::string> late_uses();

}  // namespace godwit::check
