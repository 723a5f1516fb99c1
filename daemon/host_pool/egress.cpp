#include "host_pool/egress.hpp"

#include <boost/asio/post.hpp>
#include <cstdlib>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"

namespace godwit::host_pool {
namespace {

using wire::HostMessage;

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// Where libraries look for time zones and certificates; proxies come from nowhere.
std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (const char* name :
       {"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  return result;
}

}  // namespace

Egress::Egress(boost::asio::io_context& context, std::string program)
    : context_(context), program_(std::move(program)) {}

Egress::~Egress() {
  if (process_) process_->detach();
}

std::uint64_t Egress::request(const std::vector<std::string>& hosts, std::string_view request, std::string_view body,
                              Done done) {
  const std::uint64_t number = ++last_;
  waiting_.emplace(number, std::move(done));
  try {
    if (!process_) process_ = HostProcess::start(context_, {program_, {}, environment()}, *this);
    process_->write([&](std::string& out) {
      wire::append_message(out, HostMessage::http_request, number, 0, 0, {request, body, joined_lines(hosts)});
    });
  } catch (const std::exception& error) {
    fail_later(number, error.what());
  }
  return number;
}

void Egress::cancel(std::uint64_t number) {
  if (waiting_.erase(number) == 0 || !process_) return;
  process_->write([&](std::string& out) { wire::append_message(out, HostMessage::cancel, number, 0, 0, {}); });
}

void Egress::on_frame(const wire::Frame& frame) {
  wire::expect_blobs(frame, 2);
  const auto found = waiting_.find(frame.call);
  if (found == waiting_.end()) return;  // it was cancelled
  const Done done = std::move(found->second);
  waiting_.erase(found);
  done({wire::to_host_status(frame.flags), frame.blobs[0], frame.blobs[1]});
}

void Egress::on_line(std::string_view line, std::string_view) {
  base::log::warning("godwit-egress: {}", base::repaired_utf8(line));
}

void Egress::on_broken(const std::string& why) {
  base::log::error("godwit-egress: {}", why);
  process_->kill();
}

void Egress::on_ended(const process::Exit& exit) {
  base::log::warning("godwit-egress ended with {}", exit.text());
  process_->detach();
  process_.reset();
  while (!waiting_.empty()) fail(waiting_.begin()->first, "the process that makes requests ended with " + exit.text());
}

void Egress::fail_later(std::uint64_t number, std::string message) {
  boost::asio::post(context_, [this, alive = std::weak_ptr(alive_), number, message = std::move(message)] {
    if (!alive.expired()) fail(number, message);
  });
}

void Egress::fail(std::uint64_t number, const std::string& message) {
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return;
  const Done done = std::move(found->second);
  waiting_.erase(found);
  const std::string value = base::serialize(base::json::object{{"code", "egress"}, {"message", message}});
  done({wire::HostStatus::retry, value, {}});
}

}  // namespace godwit::host_pool
