// A search provider that writes down every call before it answers: what was sent to the outside world, and how often.
#include <fcntl.h>
#include <unistd.h>

#include <godwit/sdk.hpp>
#include <thread>

namespace json = godwit::json;

namespace {

// FNV-1a: the answer must depend on the question alone.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 14695981039346656037u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return value;
}

}  // namespace

// One of so many places for calls, over all processes: a lock on a byte of a file, which the kernel gives back when the
// process ends in whatever way.
class Place {
 public:
  Place(const std::string& file, int count) {
    if (file.empty()) return;
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    free_ = false;
    for (int i = 0; i < count && !free_; ++i) {
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_start = i;
      lock.l_len = 1;
      free_ = ::fcntl(fd_, F_OFD_SETLK, &lock) == 0;
    }
  }
  ~Place() {
    if (fd_ >= 0) ::close(fd_);
  }
  Place(const Place&) = delete;
  bool is_free() const { return free_; }

 private:
  int fd_ = -1;
  bool free_ = true;
};

class Count {
 public:
  explicit Count(const json::object& config) {
    if (const json::value* log = config.if_contains("log"))
      log_ = ::open(log->as_string().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (const json::value* places = config.if_contains("places")) places_ = places->as_string().c_str();
    if (const json::value* count = config.if_contains("count")) count_ = count->to_number<int>();
  }
  Count(Count&& other) noexcept
      : log_(std::exchange(other.log_, -1)), places_(std::move(other.places_)), count_(other.count_) {}
  ~Count() {
    if (log_ >= 0) ::close(log_);
  }

  json::value call(godwit::Call& call, std::string_view method, const json::object& args) {
    if (method != "search") godwit::fail("no_method", method);
    const std::string text = json::serialize(args);
    const Place place(places_, count_);
    if (log_ >= 0) {
      const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::system_clock::now().time_since_epoch());
      const std::string line = std::string(call.idempotency_key()) + "\t" + text + "\t" + std::to_string(now.count()) +
                               (place.is_free() ? "\n" : "\tno place\n");
      if (::write(log_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        godwit::fail("log", "the log of calls cannot be written");
    }
    if (const json::value* delay = args.if_contains("delay_ms"))
      wait(call, std::chrono::milliseconds(delay->to_number<std::int64_t>()));
    const std::uint64_t value = hash(text);
    return {{"price", 50 + value % 900}, {"hash", value % 1'000'000'007}, {"args", args}};
  }

 private:
  static void wait(godwit::Call& call, std::chrono::milliseconds delay) {
    const auto end = std::chrono::steady_clock::now() + delay;
    for (auto now = std::chrono::steady_clock::now(); now < end; now = std::chrono::steady_clock::now()) {
      call.check_cancel();
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - now, std::chrono::milliseconds(5)));
    }
  }

  int log_ = -1;
  std::string places_;
  int count_ = 0;
};
GODWIT_PROVIDER(Count, "count")
GODWIT_PLUGIN(&gw_unit_Count)
