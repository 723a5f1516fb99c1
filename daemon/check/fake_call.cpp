#include "check/fake_call.hpp"

#include <fcntl.h>
#include <godwit/ext/artifact.h>
#include <godwit/ext/http.h>
#include <godwit/ext/limits.h>
#include <godwit/ext/secret.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <deque>

#include "base/digest.hpp"
#include "base/json_text.hpp"
#include "base/utf8.hpp"
#include "wire/host_messages.hpp"

namespace json = godwit::base::json;
using godwit::check::HostFunction;

namespace {

std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t(1'000'000'000) + now.tv_nsec;
}

struct Graveyard {
  std::mutex mutex;
  std::deque<std::unique_ptr<gw_call>> calls;
  std::set<std::string> uses;
};
Graveyard& graveyard() {
  static auto* one = new Graveyard;  // for threads that outlive everything
  return *one;
}
constexpr std::size_t kBuriedMax = 64;

}  // namespace

gw_call::gw_call(godwit::check::CallPlan plan)
    : plan_(std::move(plan)),
      deadline_ns_(monotonic_ns() + std::chrono::nanoseconds(plan_.time).count()),
      thread_(std::this_thread::get_id()) {}

gw_call::~gw_call() {
  end();
}

void gw_call::end() {
  ended_ = true;
  const std::lock_guard lock(mutex_);
  buffers_.clear();
}

void gw_call::must_not_have_ended(std::string_view function) const {
  if (!ended_) return;
  const std::lock_guard lock(graveyard().mutex);
  graveyard().uses.emplace(function);
}

bool gw_call::enter(HostFunction function, gw_status& status) {
  const auto index = static_cast<std::size_t>(function);
  must_not_have_ended(godwit::check::kHostFunctions[index]);
  on_run_thread(godwit::check::kHostFunctions[index].data());
  const std::lock_guard lock(mutex_);
  const int nth = ++counts_[index];
  if (in_open_) {
    status = GW_UNSUPPORTED;
    return false;
  }
  if (plan_.fault && plan_.fault->function == function && plan_.fault->nth == nth) {
    status = plan_.fault->status;
    return false;
  }
  if (function != HostFunction::output && cancelled()) {
    status = GW_CANCELLED;
    return false;
  }
  return true;
}

gw_view gw_call::text(gw_view view, const char* what, bool is_json) {
  if (!view.ptr && view.len != 0) {
    complain(std::string(what) + " is NULL with a length of " + std::to_string(view.len));
    return {nullptr, 0};
  }
  const std::string_view bytes(reinterpret_cast<const char*>(view.ptr), view.len);
  if (!godwit::base::is_utf8(bytes)) complain(std::string(what) + " is not UTF-8");
  std::string why;
  if (is_json && !godwit::base::is_json(bytes, &why)) complain(std::string(what) + " is not JSON: " + why);
  return view;
}

gw_buf* gw_call::lend(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  buffers_.push_back(std::make_unique<gw_buf>(this, bytes));
  return buffers_.back().get();
}

void gw_call::release(gw_buf* buffer) {
  const std::lock_guard lock(mutex_);
  if (buffer->released) {
    complaints_.insert("a buffer is released twice");
    return;
  }
  buffer->released = true;
  buffer->guarded.revoke();
}

void gw_call::complain(const std::string& what) {
  const std::lock_guard lock(mutex_);
  complaints_.insert(what);
}

void gw_call::on_run_thread(const char* function) {
  if (std::this_thread::get_id() != thread_)
    complain(std::string(function) + "() is called on another thread than run() [run]");
}

bool gw_call::cancelled() const {
  return cancelled_ || monotonic_ns() >= deadline_ns_;
}

namespace godwit::check {
namespace {

std::string copy(gw_view view) {
  return {reinterpret_cast<const char*>(view.ptr), static_cast<std::size_t>(view.len)};
}

gw_view view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

gw_status output(gw_call* call, gw_view json) {
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::output, status)) {
    call->output_failed_ = true;
    return status;
  }
  if (json.len > GW_PAYLOAD_MAX) return GW_TOO_BIG;
  call->text(json, "the result");
  std::string why;
  if (!base::is_json(copy(json), &why)) {
    call->complain("the result is not JSON: " + why);
    return GW_INVALID;
  }
  const std::lock_guard lock(call->mutex_);
  if (call->output_) {
    call->complaints_.insert("output() is called twice");
    return GW_INVALID;
  }
  call->output_ = copy(json);
  return GW_OK;
}

gw_status emit(gw_call* call, gw_view topic, gw_view row) {
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::emit, status)) return status;
  call->text(topic, "the topic of emit()");
  if (row.len > GW_PAYLOAD_MAX - std::min<std::uint64_t>(call->emitted_size_, GW_PAYLOAD_MAX)) return GW_TOO_BIG;
  call->text(row, "the row of emit()", true);
  if (topic.len == 0) return GW_INVALID;
  const std::lock_guard lock(call->mutex_);
  call->emitted_.emplace_back(copy(topic), copy(row));
  call->emitted_size_ += wire::emitted_size(copy(topic), copy(row));
  return GW_OK;
}

gw_status checkpoint_put(gw_call* call, gw_view key, gw_view value) {
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::checkpoint_put, status)) return status;
  call->text(key, "the key of checkpoint_put()");
  if (value.len > GW_PAYLOAD_MAX) return GW_TOO_BIG;
  call->text(value, "the value of checkpoint_put()", true);
  call->plan_.checkpoints[copy(key)] = copy(value);
  if (call->plan_.on_checkpoint) call->plan_.on_checkpoint(copy(key), copy(value));
  return GW_OK;
}

gw_status checkpoint_get(gw_call* call, gw_view key, gw_buf** value) {
  *value = nullptr;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::checkpoint_get, status)) return status;
  call->text(key, "the key of checkpoint_get()");
  const auto found = call->plan_.checkpoints.find(copy(key));
  if (found == call->plan_.checkpoints.end()) return GW_NOT_FOUND;
  *value = call->lend(found->second);
  return GW_OK;
}

gw_status refuse(gw_call* call, gw_status status, std::string_view code, const std::string& message, gw_buf** out) {
  *out = call->lend(base::serialize(json::object{{"code", code}, {"message", message}, {"retry_after_ms", nullptr}}));
  return status;
}

gw_status invoke(gw_call* call, gw_view callable, gw_view args, gw_view, gw_buf** result) {
  *result = nullptr;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::invoke, status)) return status;
  call->text(callable, "the name given to invoke()");
  if (args.len > GW_PAYLOAD_MAX) return GW_TOO_BIG;
  call->text(args, "the arguments given to invoke()", true);
  return refuse(call, GW_FAILED, "no_such_callable", "the checker has no other plugin", result);
}

gw_status http_request(gw_call* call, gw_view request, gw_view, gw_buf** response, gw_buf** body) {
  *response = *body = nullptr;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::http_request, status)) return status;
  call->text(request, "the request given to godwit.http/1", true);
  return refuse(call, GW_RETRY, "network", "the checker reaches no network", response);
}

gw_status secret_get(gw_call* call, gw_view name, gw_buf** value) {
  *value = nullptr;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::secret_get, status)) return status;
  call->text(name, "the name given to godwit.secret/1");
  *value = call->lend("secret-" + copy(name));
  return GW_OK;
}

gw_status limits_cost(gw_call* call, gw_view limit, std::int64_t tokens) {
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::limits_cost, status)) return status;
  call->text(limit, "the name given to limits.cost()");
  if (tokens >= 0) return GW_OK;
  call->complain("limits.cost() is given less than nothing");
  return GW_INVALID;
}

gw_status limits_quota(gw_call* call, gw_view limit, const gw_quota* quota) {
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::limits_quota, status)) return status;
  call->text(limit, "the name given to limits.quota()");
  if (quota->remaining >= 0 && quota->reset_ms >= 0) return GW_OK;
  call->complain("limits.quota() is given less than nothing");
  return GW_INVALID;
}

// Artifacts of the process, by the name they are opened by; the checker forgets them with its process.
std::mutex artifacts_mutex;
std::map<std::string, std::string>& artifacts() {
  static std::map<std::string, std::string> all;
  return all;
}

int memory_file(std::string_view bytes) {
  const int fd = ::memfd_create("artifact", MFD_CLOEXEC);
  if (fd >= 0 && ::write(fd, bytes.data(), bytes.size()) >= 0) ::lseek(fd, 0, SEEK_SET);
  return fd;
}

gw_status artifact_create(gw_call* call, gw_view name, gw_view media_type, std::int32_t* fd) {
  *fd = -1;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::artifact_create, status)) return status;
  call->text(name, "the name of an artifact");
  call->text(media_type, "the media type of an artifact");
  *fd = memory_file({});
  call->drafts_.insert(*fd);
  return *fd < 0 ? GW_FAILED : GW_OK;
}

gw_status artifact_commit(gw_call* call, std::int32_t fd, gw_buf** reference) {
  *reference = nullptr;
  if (call->drafts_.erase(fd) == 0) {
    call->complain("artifact.commit() is given a descriptor that is none of artifact.create()");
    return GW_INVALID;
  }
  std::string bytes(static_cast<std::size_t>(std::max<off_t>(0, ::lseek(fd, 0, SEEK_END))), '\0');
  const bool whole = ::pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  ::close(fd);
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::artifact_commit, status)) return status;
  if (!whole) return GW_FAILED;
  const std::string name = "sha256:" + base::sha256_hex(bytes);
  *reference = call->lend(base::serialize(json::object{
      {"artifact", name}, {"size", bytes.size()}, {"name", "artifact"}, {"media_type", "application/octet-stream"}}));
  const std::lock_guard lock(artifacts_mutex);
  artifacts()[name] = std::move(bytes);
  return GW_OK;
}

gw_status artifact_open(gw_call* call, gw_view name, std::int32_t* fd) {
  *fd = -1;
  gw_status status = GW_OK;
  if (!call->enter(HostFunction::artifact_open, status)) return status;
  const std::lock_guard lock(artifacts_mutex);
  const auto found = artifacts().find(copy(name));
  if (found == artifacts().end()) return GW_NOT_FOUND;
  *fd = memory_file(found->second);
  return *fd < 0 ? GW_FAILED : GW_OK;
}

const gw_host_http kHttp{sizeof(gw_host_http), 0, http_request};
const gw_host_limits kLimits{sizeof(gw_host_limits), 0, limits_cost, limits_quota};
const gw_host_secret kSecret{sizeof(gw_host_secret), 0, secret_get};
const gw_host_artifact kArtifact{sizeof(gw_host_artifact), 0, artifact_create, artifact_commit, artifact_open};

std::vector<std::string>& given() {
  static std::vector<std::string> ids;
  return ids;
}

const void* extension(const char* id) {
  const std::string wanted = id ? id : "";
  if (std::find(given().begin(), given().end(), wanted) == given().end()) return nullptr;
  if (wanted == GW_EXT_HTTP) return &kHttp;
  if (wanted == GW_EXT_LIMITS) return &kLimits;
  if (wanted == GW_EXT_SECRET) return &kSecret;
  if (wanted == GW_EXT_ARTIFACT) return &kArtifact;
  return nullptr;
}

}  // namespace

void bury(std::unique_ptr<gw_call> call) {
  call->end();
  const std::lock_guard lock(graveyard().mutex);
  graveyard().calls.push_back(std::move(call));
  if (graveyard().calls.size() > kBuriedMax) graveyard().calls.pop_front();
}

std::set<std::string> late_uses() {
  const std::lock_guard lock(graveyard().mutex);
  return graveyard().uses;
}

void give_extensions(std::vector<std::string> extensions) {
  given() = std::move(extensions);
}

const gw_host& fake_host() {
  static const gw_host host{
      .struct_size = sizeof(gw_host),
      .abi_minor = GW_ABI_MINOR,
      .extension = extension,
      .buf_view = [](const gw_buf* buffer, gw_view* out) { *out = view_of(buffer->guarded.view()); },
      .buf_release =
          [](gw_buf* buffer) {
            if (buffer) buffer->call->release(buffer);
          },
      .log =
          [](gw_call* call, std::int32_t level, gw_view text, gw_view) {
            call->must_not_have_ended("log");
            if (level < GW_LOG_DEBUG || level > GW_LOG_ERROR)
              call->complain("log() is given the unknown level " + std::to_string(level));
            call->text(text, "the text of log()");
          },
      .progress =
          [](gw_call* call, std::uint64_t, std::uint64_t, gw_view fields) {
            call->must_not_have_ended("progress");
            call->text(fields, "the fields of progress()");
          },
      .fail =
          [](gw_call* call, gw_view code, gw_view why, std::int64_t) {
            call->must_not_have_ended("fail");
            call->on_run_thread("fail");
            call->text(code, "the code of fail()");
            call->text(why, "the text of fail()");
            const std::lock_guard lock(call->mutex_);
            call->failure_code_ = copy(code);
            call->failure_text_ = copy(why);
          },
      .cancelled = [](gw_call* call) -> std::int32_t { return call->cancelled() ? 1 : 0; },
      .deadline_ns = [](gw_call* call) { return call->deadline_ns_; },
      .idempotency_key = [](gw_call* call, gw_view* out) { *out = view_of(call->plan_.key); },
      .attempt = [](gw_call* call) -> std::int32_t { return call->plan_.attempt; },
      .output = output,
      .emit = emit,
      .checkpoint_put = checkpoint_put,
      .checkpoint_get = checkpoint_get,
      .invoke = invoke,
  };
  return host;
}

}  // namespace godwit::check
