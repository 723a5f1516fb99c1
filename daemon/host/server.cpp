#include "host/server.hpp"

#include "base/json_text.hpp"
#include "host/host_table.hpp"

namespace godwit::host {

namespace {

using wire::HostMessage;

// Below this a call counts as short.
constexpr auto kShortCall = std::chrono::microseconds(50);
// After this time a queue that has not moved is stalled behind calls that are not as short as usual.
constexpr auto kStallCheck = std::chrono::milliseconds(1);
// How long the reading thread runs calls before it looks at the socket again: well within its patience, so that many
// short calls do not cost it its seat.
constexpr auto kBesideReading = ReaderSeat::kPatience / 2;

}  // namespace

Server::Server(std::string plugin_path, base::UniqueFd socket, process::SandboxReport sandbox)
    : plugin_path_(std::move(plugin_path)),
      sandbox_(std::move(sandbox)),
      channel_(std::move(socket)),
      typical_call_(2 * kShortCall) {}

int Server::serve() {
  std::thread([this] { read_socket(); }).detach();
  start_stand_in();
  const std::string hello = base::serialize(
      base::json::object{{"protocol", wire::kHostProtocol},
                         {"abi", base::json::object{{"major", GW_ABI_MAJOR}, {"minor", GW_ABI_MINOR}}},
                         {"sandbox", base::json::value_from(sandbox_)}});
  channel_.write([&](std::string& out) { wire::append_message(out, HostMessage::hello, 0, 0, 0, {}, hello); },
                 Channel::Flush::now);
  std::optional<OpenRequest> request;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_request_ || bye_; });
    if (bye_) return 0;
    request.swap(open_request_);
  }
  const bool usable = open_plugin(*request);
  if (usable) {
    work();
    for (auto& worker : workers_) worker.join();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return running_ == 0; });
    }
    plugin_->close();
  }
  channel_.drain();
  return usable ? 0 : 1;
}

void Server::read_socket() {
  channel_.serve(
      {[this](const wire::Frame& frame) { on_frame(frame); }, [this] { return on_batch(); }, [this] { on_tick(); }});
}

void Server::start_stand_in() {
  std::thread([this] {
    seat_.wait_to_take_over();
    start_stand_in();
    {
      const std::lock_guard lock(mutex_);
      call_for_help(true);
    }
    read_socket();
  }).detach();
}

bool Server::open_plugin(const OpenRequest& request) {
  std::string answer;
  try {
    offer_extensions(request.extensions);
    plugin_.emplace(plugin_path_, channel_, request.units);
    plugin_->open(channel_, request.config);
  } catch (const std::exception& error) {
    answer = base::serialize(base::json::object{{"message", error.what()}});
  }
  {
    const std::lock_guard lock(mutex_);
    opened_ = true;
    concurrency_ = request.concurrency;
  }
  channel_.write([&](std::string& out) { wire::append_message(out, HostMessage::opened, 0, 0, 0, {}, answer); },
                 Channel::Flush::now);
  return answer.empty();
}

void Server::on_open(const wire::Frame& frame) {
  wire::expect_blobs(frame, 1);
  const base::json::object fields = wire::parse_object(frame);
  OpenRequest request;
  request.units = fields.at("units").as_array();
  request.concurrency = fields.at("concurrency").to_number<std::size_t>();
  for (const auto& id : fields.at("extensions").as_array()) request.extensions.emplace_back(id.as_string());
  request.config = base::parse_json(frame.blobs[0]).as_object();
  const std::lock_guard lock(mutex_);
  open_request_ = std::move(request);
  changed_.notify_all();
}

gw_call* Server::find_call(std::uint64_t number) {
  const auto found = calls_.find(number);
  return found == calls_.end() ? nullptr : found->second.get();
}

void Server::on_frame(const wire::Frame& frame) {
  switch (static_cast<HostMessage>(frame.type)) {
    case HostMessage::open:
      on_open(frame);
      return;
    case HostMessage::call:
      arrived_.push_back(std::make_unique<gw_call>(channel_, wire::parse_call(frame)));
      return;
    case HostMessage::ping:
      channel_.write([&](std::string& out) { wire::append_message(out, HostMessage::pong, 0, frame.tag, 0, {}); },
                     Channel::Flush::soon);
      return;
    case HostMessage::cancel: {
      queue_arrived();  // the call may have come just before
      const std::lock_guard lock(mutex_);
      if (gw_call* call = find_call(frame.call)) call->cancel();
      return;
    }
    case HostMessage::reply:
    case HostMessage::reply_fd:
      on_reply(frame);
      return;
    case HostMessage::bye: {
      const std::lock_guard lock(mutex_);
      bye_ = true;
      changed_.notify_all();
      return;
    }
    default:
      throw base::refused("unknown message " + std::to_string(frame.type) + " from the daemon");
  }
}

void Server::on_reply(const wire::Frame& frame) {
  if (frame.blob_count != 2) wire::expect_blobs(frame, 1);
  gw_call::Reply reply{wire::to_host_status(frame.flags), std::string(frame.blobs[0]), std::string(frame.blobs[1]), {}};
  if (static_cast<HostMessage>(frame.type) == HostMessage::reply_fd) reply.fd = channel_.take_fd();
  const std::lock_guard lock(mutex_);
  if (gw_call* call = find_call(frame.call)) call->answer(frame.tag, std::move(reply));
}

void Server::queue_arrived() {
  if (arrived_.empty()) return;
  const std::lock_guard lock(mutex_);
  for (auto& call : arrived_) {
    queue_.push_back(call.get());
    calls_.emplace(call->number(), std::move(call));
  }
  arrived_.clear();
}

Channel::Next Server::on_batch() {
  queue_arrived();
  std::unique_lock lock(mutex_);
  const bool alone = running_ == 0 && !help_is_coming_ && opened_ && !bye_;
  if (alone && !queue_.empty() && typical_call_ < kShortCall) return work_beside_reading(lock);
  call_for_help();
  return Channel::Next::wait;
}

// Only who sends one call after the other waits for each answer, and is soon back with the next.
Channel::Next Server::work_beside_reading(std::unique_lock<std::mutex>& lock) {
  const bool one = queue_.size() == 1;
  const auto absence = seat_.leave();
  const auto enough = std::chrono::steady_clock::now() + kBesideReading;
  do {
    run_next(lock);
  } while (!queue_.empty() && running_ == 0 && std::chrono::steady_clock::now() < enough);
  const bool still_reading = seat_.come_back(absence);
  call_for_help();
  if (!still_reading) return Channel::Next::leave;
  return one && calls_.empty() ? Channel::Next::answered : Channel::Next::wait;
}

void Server::on_tick() {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, call] : calls_) call->send_held_progress();
  const bool stalled = !queue_.empty() && queue_.front()->number() == watched_call_;
  watched_call_ = queue_.empty() ? 0 : queue_.front()->number();
  call_for_help(stalled);
}

// One worker at a time is woken: it wakes the next if there is still something to do, so that short calls do not wake
// everybody.
void Server::call_for_help(bool stalled) {
  if (stalled) typical_call_ = 2 * kShortCall;
  if (queue_.empty() || help_is_coming_ || !opened_ || running_ >= concurrency_) return;
  if (typical_call_ < kShortCall && running_ > 0) {
    channel_.want_tick(kStallCheck);
  } else if (idle_ > 0) {
    help_is_coming_ = true;
    changed_.notify_one();
  } else if (workers_.size() + 1 < concurrency_) {
    help_is_coming_ = true;
    workers_.emplace_back([this] { work(); });
  }
}

void Server::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    help_is_coming_ = false;
    if (queue_.empty() || running_ >= concurrency_) {
      if (queue_.empty() && bye_) return;
      ++idle_;
      changed_.wait(lock);
      --idle_;
      continue;
    }
    run_next(lock);
  }
}

void Server::run_next(std::unique_lock<std::mutex>& lock) {
  gw_call* call = queue_.front();
  queue_.pop_front();
  ++running_;
  call_for_help();
  lock.unlock();
  const auto begin = std::chrono::steady_clock::now();
  const gw_status status = run(*call);
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
  lock.lock();
  typical_call_ += (took - typical_call_) / 8;
  const bool others_wait = !queue_.empty();
  auto finished = calls_.extract(call->number());
  lock.unlock();
  finish(*call, status, others_wait);
  finished = {};
  lock.lock();
  --running_;
  if (bye_) changed_.notify_all();
}

gw_status Server::run(gw_call& call) const {
  const PluginLibrary::OpenUnit* open = plugin_->find(call.unit());
  if (!open) {
    call.fail("no_such_unit", "the plugin has no unit \"" + std::string(call.unit()) + "\"", -1);
    return GW_FAILED;
  }
  const auto view = [](std::string_view text) {
    return gw_view{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  };
  return open->unit->run(open->self, &call, view(call.method()), view(call.input()));
}

// With more calls waiting the results go out together through the I/O thread; the last one goes at once, which saves a
// change of threads.
void Server::finish(gw_call& call, gw_status status, bool others_wait) {
  channel_.write([&](std::string& out) { call.append_result(out, status); },
                 others_wait ? Channel::Flush::soon : Channel::Flush::now);
}

}  // namespace godwit::host
