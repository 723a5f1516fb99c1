#include "host/host_table.hpp"

#include <godwit/ext/artifact.h>
#include <godwit/ext/http.h>
#include <godwit/ext/limits.h>
#include <godwit/ext/secret.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "host/call.hpp"
#include "wire/host_messages.hpp"

namespace godwit::host {
namespace {

std::string_view text(gw_view view) {
  return {reinterpret_cast<const char*>(view.ptr), static_cast<std::size_t>(view.len)};
}

gw_view view(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

const gw_host_http kHttp{
    .struct_size = sizeof(gw_host_http),
    .reserved = 0,
    .request =
        [](gw_call* call, gw_view request, gw_view body, gw_buf** response, gw_buf** response_body) {
          return call->http_request(text(request), text(body), response, response_body);
        },
};
const gw_host_limits kLimits{
    .struct_size = sizeof(gw_host_limits),
    .reserved = 0,
    .cost = [](gw_call* call, gw_view limit, std::int64_t tokens) { return call->limits_cost(text(limit), tokens); },
    .quota = [](gw_call* call, gw_view limit,
                const gw_quota* quota) { return call->limits_quota(text(limit), quota); },
};
const gw_host_secret kSecret{
    .struct_size = sizeof(gw_host_secret),
    .reserved = 0,
    .get = [](gw_call* call, gw_view name, gw_buf** value) { return call->secret_get(text(name), value); },
};
const gw_host_artifact kArtifact{
    .struct_size = sizeof(gw_host_artifact),
    .reserved = 0,
    .create = [](gw_call* call, gw_view name, gw_view media_type,
                 std::int32_t* fd) { return call->artifact_create(text(name), text(media_type), fd); },
    .commit = [](gw_call* call, std::int32_t fd, gw_buf** reference) { return call->artifact_commit(fd, reference); },
    .open = [](gw_call* call, gw_view name, std::int32_t* fd) { return call->artifact_open(text(name), fd); },
};

struct Extension {
  std::string_view id;
  const void* table;
  bool offered = false;
};
std::array<Extension, 4> extensions{
    {{GW_EXT_ARTIFACT, &kArtifact}, {GW_EXT_HTTP, &kHttp}, {GW_EXT_LIMITS, &kLimits}, {GW_EXT_SECRET, &kSecret}}};
static_assert(wire::kExtensions ==
              std::array<std::string_view, 4>{GW_EXT_ARTIFACT, GW_EXT_HTTP, GW_EXT_LIMITS, GW_EXT_SECRET});

const void* find_extension(const char* id) {
  if (!id) return nullptr;
  for (const Extension& extension : extensions)
    if (extension.offered && extension.id == id) return extension.table;
  return nullptr;
}

}  // namespace

void offer_extensions(const std::vector<std::string>& ids) {
  for (Extension& extension : extensions)
    extension.offered = std::find(ids.begin(), ids.end(), extension.id) != ids.end();
}

const gw_host kHostTable = {
    .struct_size = sizeof(gw_host),
    .abi_minor = GW_ABI_MINOR,
    .extension = find_extension,
    .buf_view = [](const gw_buf* buffer, gw_view* out) { *out = view(buffer->bytes); },
    .buf_release =
        [](gw_buf* buffer) {
          if (buffer) buffer->call->release(buffer);
        },
    .log = [](gw_call* call, std::int32_t level, gw_view line,
              gw_view fields) { call->log(level, text(line), text(fields)); },
    .progress = [](gw_call* call, std::uint64_t done, std::uint64_t total,
                   gw_view fields) { call->progress(done, total, text(fields)); },
    .fail =
        [](gw_call* call, gw_view code, gw_view why, std::int64_t retry_after_ms) {
          call->fail(text(code), text(why), std::max<std::int64_t>(retry_after_ms, -1));
        },
    .cancelled = [](gw_call* call) -> std::int32_t { return call->cancelled() ? 1 : 0; },
    .deadline_ns = [](gw_call* call) { return call->deadline_ns(); },
    .idempotency_key = [](gw_call* call, gw_view* out) { *out = view(call->idempotency_key()); },
    .attempt = [](gw_call* call) -> std::int32_t { return call->attempt(); },
    .output = [](gw_call* call, gw_view json) { return call->output(text(json)); },
    .emit = [](gw_call* call, gw_view topic, gw_view row) { return call->emit(text(topic), text(row)); },
    .checkpoint_put = [](gw_call* call, gw_view key,
                         gw_view value) { return call->checkpoint_put(text(key), text(value)); },
    .checkpoint_get = [](gw_call* call, gw_view key, gw_buf** value) { return call->checkpoint_get(text(key), value); },
    .invoke = [](gw_call* call, gw_view callable, gw_view args, gw_view suffix,
                 gw_buf** result) { return call->invoke(text(callable), text(args), text(suffix), result); },
};

}  // namespace godwit::host
