#include "host/host_table.hpp"

#include <algorithm>
#include <string_view>

#include "host/call.hpp"

namespace godwit::host {
namespace {

std::string_view text(gw_view view) {
  return {reinterpret_cast<const char*>(view.ptr), static_cast<std::size_t>(view.len)};
}

gw_view view(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace

const gw_host kHostTable = {
    .struct_size = sizeof(gw_host),
    .abi_minor = GW_ABI_MINOR,
    .extension = [](const char*) -> const void* { return nullptr; },  // ABI 1.0 has no official extension
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
