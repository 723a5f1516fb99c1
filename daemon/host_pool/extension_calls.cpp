#include "host_pool/extension_calls.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>

#include "base/base64.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "host_pool/host.hpp"
#include "host_pool/secrets.hpp"

namespace godwit::host_pool {
namespace {

namespace json = base::json;
using wire::HostMessage;
using wire::HostStatus;

constexpr std::size_t kDraftsMax = 16;  // of one call
constexpr auto kResetMax = std::chrono::milliseconds(std::chrono::hours(24 * 31));

// Which extension a message belongs to; empty for messages of the core.
std::string_view extension_of(HostMessage type) {
  switch (type) {
    case HostMessage::http_request:
      return "godwit.http/1";
    case HostMessage::secret_get:
      return "godwit.secret/1";
    case HostMessage::artifact_create:
    case HostMessage::artifact_commit:
    case HostMessage::artifact_open:
      return "godwit.artifact/1";
    case HostMessage::limits_cost:
    case HostMessage::limits_quota:
      return "godwit.limits/1";
    default:
      return {};
  }
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

ExtensionCalls::ExtensionCalls(boost::asio::io_context& context, ExtensionSettings settings,
                               const std::map<std::string, config::PluginSettings>& plugins)
    : context_(context),
      settings_(std::move(settings)),
      plugins_(plugins),
      egress_(context, settings_.egress_program),
      files_(settings_.artifact_dir, settings_.artifact_size_max) {}

ExtensionCalls::~ExtensionCalls() {
  copier_.stop();
  copier_.join();
}

const config::PluginSettings& ExtensionCalls::decided_on(const Call& call) const {
  static const config::PluginSettings kNothing;
  const auto found = plugins_.find(call.callable->plugin);
  return found == plugins_.end() ? kNothing : found->second;
}

bool ExtensionCalls::on_frame(Call& call, const wire::Frame& frame) {
  const auto type = static_cast<HostMessage>(frame.type);
  const std::string_view extension = extension_of(type);
  if (extension.empty()) return false;
  if (!contains(wire::given_extensions(call.host->plugin().manifest, settings_.developer), extension))
    throw base::refused("malformed message: its manifest does not name " + std::string(extension));
  if (extension == "godwit.limits/1") {
    tell_limits(call, frame);
    return true;
  }
  work_[call.number].call = &call;
  switch (type) {
    case HostMessage::http_request:
      http_request(call, frame);
      break;
    case HostMessage::secret_get:
      secret_get(call, frame);
      break;
    case HostMessage::artifact_create:
      artifact_create(call, frame);
      break;
    case HostMessage::artifact_commit:
      artifact_commit(call, frame);
      break;
    default:
      artifact_open(call, frame);
  }
  return true;
}

void ExtensionCalls::tell_limits(Call& call, const wire::Frame& frame) {
  const auto message = wire::parse_limits(frame);
  if (!base::is_utf8(message.limit)) throw base::refused("malformed message: the name of a limit is not valid");
  std::string limit(message.limit);
  if (static_cast<HostMessage>(frame.type) == HostMessage::limits_cost)
    return call.listener->cost(std::move(limit), message.tokens);
  model::Quota quota{static_cast<double>(std::max<std::int64_t>(message.tokens, 0)), {}, {}};
  quota.reset = std::chrono::milliseconds(std::clamp<std::int64_t>(message.reset_ms, 0, kResetMax.count()));
  if (message.total >= 0) quota.limit = static_cast<double>(message.total);
  call.listener->quota(std::move(limit), quota);
}

void ExtensionCalls::on_ended(const Call& call) {
  const auto found = work_.find(call.number);
  if (found == work_.end()) return;
  if (found->second.request != 0) egress_.cancel(found->second.request);
  work_.erase(found);
}

void ExtensionCalls::http_request(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  Work& work = work_.at(call.number);
  if (work.request != 0) egress_.cancel(work.request);  // the plugin gave up waiting for it
  work.request =
      egress_.request(decided_on(call).grants.network.hosts, frame.blobs[0], frame.blobs[1],
                      [this, number = call.number, question = frame.tag](const Egress::Answer& answer) {
                        const auto found = work_.find(number);
                        if (found == work_.end()) return;
                        found->second.request = 0;
                        found->second.call->host->reply(number, question, answer.status, answer.value, answer.body);
                      });
}

void ExtensionCalls::secret_get(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 1);
  Host& host = *call.host;
  try {
    std::string value = read_secret(decided_on(call).secrets, std::string(frame.blobs[0]));
    host.reply(call.number, frame.tag, HostStatus::ok, value);
    ::explicit_bzero(value.data(), value.size());
  } catch (const base::Error& error) {
    const bool denied = error.kind() == base::ErrorKind::denied;
    if (!denied) base::log::warning("plugin {} cannot have a secret: {}", call.callable->plugin, error.what());
    host.reply(call.number, frame.tag, denied ? HostStatus::denied : HostStatus::failed, {});
  }
}

void ExtensionCalls::artifact_create(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  if (!base::is_utf8(frame.blobs[0]) || !base::is_utf8(frame.blobs[1]))
    throw base::refused("malformed message: the name of an artifact is not valid");
  Work& work = work_.at(call.number);
  if (work.drafts.size() >= kDraftsMax) return call.host->reply(call.number, frame.tag, HostStatus::failed, {});
  try {
    Draft draft{files_.create(), std::string(frame.blobs[0]), std::string(frame.blobs[1])};
    if (draft.media_type.empty()) draft.media_type = "application/octet-stream";
    base::UniqueFd copy(::fcntl(draft.fd.get(), F_DUPFD_CLOEXEC, 0));
    const std::string handle = std::to_string(++work.last_draft);
    call.host->reply_fd(call.number, frame.tag, handle, std::move(copy));
    work.drafts.emplace(handle, std::move(draft));
  } catch (const base::Error& error) {
    base::log::warning("no artifact can be made: {}", error.what());
    call.host->reply(call.number, frame.tag, HostStatus::failed, {});
  }
}

void ExtensionCalls::artifact_commit(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 1);
  Work& work = work_.at(call.number);
  const auto found = work.drafts.find(std::string(frame.blobs[0]));
  if (found == work.drafts.end()) return call.host->reply(call.number, frame.tag, HostStatus::invalid, {});
  auto draft = std::make_shared<Draft>(std::move(found->second));
  work.drafts.erase(found);
  boost::asio::post(copier_, [this, draft, number = call.number, question = frame.tag] {
    const auto answer = [&](HostStatus status) {
      boost::asio::post(context_, [this, number, question, status] { reply(number, question, status); });
    };
    try {
      const artifact::Stored stored = files_.commit(draft->fd.get());
      boost::asio::post(context_,
                        [this, draft, number, question, stored] { committed(number, question, *draft, stored); });
    } catch (const base::Error& error) {
      base::log::warning("an artifact was not stored: {}", error.what());
      answer(error.kind() == base::ErrorKind::refused ? HostStatus::too_big : HostStatus::failed);
    }
  });
}

void ExtensionCalls::committed(std::uint64_t number, std::uint32_t question, const Draft& draft,
                               const artifact::Stored& stored) {
  const auto found = work_.find(number);
  if (found == work_.end()) return;
  Call& call = *found->second.call;
  const std::string reference = base::serialize(json::object{{"artifact", artifact::name_of(stored.sha256)},
                                                             {"size", stored.size},
                                                             {"name", draft.name},
                                                             {"media_type", draft.media_type}});
  call.listener->artifact({draft.name, draft.media_type, stored.sha256, stored.size},
                          [host = call.host->weak_from_this(), number, question, reference](bool recorded) {
                            const auto self = host.lock();
                            if (!self) return;
                            if (recorded) return self->reply(number, question, HostStatus::ok, reference);
                            self->reply(number, question, HostStatus::failed, {});
                          });
}

void ExtensionCalls::artifact_open(Call& call, const wire::Frame& frame) {
  wire::expect_blobs(frame, 1);
  const std::string sha256 = artifact::sha256_of(frame.blobs[0]);
  if (sha256.empty()) return call.host->reply(call.number, frame.tag, HostStatus::invalid, {});
  try {
    base::UniqueFd fd = files_.open(sha256);
    if (!fd) return open_output(call.number, frame.tag, sha256);
    call.host->reply_fd(call.number, frame.tag, {}, std::move(fd));
  } catch (const base::Error& error) {
    base::log::warning("an artifact cannot be opened: {}", error.what());
    call.host->reply(call.number, frame.tag, HostStatus::failed, {});
  }
}

void ExtensionCalls::open_output(std::uint64_t number, std::uint32_t question, std::string sha256) {
  if (!settings_.read_output) return reply(number, question, HostStatus::not_found);
  settings_.read_output(std::move(sha256), [weak = std::weak_ptr(self_), number,
                                            question](engine::Result<std::string> base64) {
    const auto self = weak.lock();
    if (!self) return;
    if (base64) return (*self)->give_file(number, question, std::move(*base64));
    const bool absent = base64.error().kind() == base::ErrorKind::not_found;
    if (!absent) base::log::warning("an artifact cannot be opened: {}", base64.error().what());
    (*self)->reply(number, question, absent ? HostStatus::not_found : HostStatus::failed);
  });
}

void ExtensionCalls::give_file(std::uint64_t number, std::uint32_t question, std::string base64) {
  boost::asio::post(copier_, [this, number, question, base64 = std::move(base64)] {
    try {
      const auto file = std::make_shared<base::UniqueFd>(files_.copy(base::from_base64(base64).value()));
      boost::asio::post(context_, [this, number, question, file] {
        const auto waiting = work_.find(number);
        if (waiting != work_.end()) waiting->second.call->host->reply_fd(number, question, {}, std::move(*file));
      });
    } catch (const std::exception& error) {
      base::log::warning("an artifact cannot be opened: {}", error.what());
      boost::asio::post(context_, [this, number, question] { reply(number, question, HostStatus::failed); });
    }
  });
}

void ExtensionCalls::reply(std::uint64_t number, std::uint32_t question, HostStatus status) {
  const auto waiting = work_.find(number);
  if (waiting != work_.end()) waiting->second.call->host->reply(number, question, status, {});
}

}  // namespace godwit::host_pool
