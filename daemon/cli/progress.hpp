#pragma once
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace godwit::cli {

// How far a run is, as its events say.
struct Progress {
  std::int64_t run = 0;
  std::string state;
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::int64_t failed = 0;
  base::json::object fields;  // what the job's plugins add: best_price and the like
  struct Stage {
    std::string name;
    std::string state;
    std::int64_t done = 0;
    std::int64_t total = 0;
  };
  std::vector<Stage> stages;
  double rate = 0;                           // per second; 0 while unknown
  std::optional<std::chrono::seconds> left;  // until the end, at this rate

  // Takes over what an event of state or progress says; members it lacks stay as they are. The event is a daemon's, but
  // a member of another type than ours is passed over.
  void update(const base::json::object& event);
};

// The speed over the last seconds: an average over the whole run would keep showing a slow start for hours.
class Speed {
 public:
  void note(base::Tick at, std::int64_t done);
  double per_second() const;  // 0 until it can be told

 private:
  std::deque<std::pair<base::Tick, std::int64_t>> samples_;
};

// One line of at most `width` columns: "run 17 [=====>     ] 12/50 24% 8.5/s 0:04 left best_price=312".
std::string progress_bar(const Progress& progress, std::size_t width);
// The same for a pipe: "run 17 running 12/50 24% 8.5/s 0:04 left best_price=312 (search 12/50)".
std::string progress_text(const Progress& progress);

// "1,234,567"
std::string grouped(std::int64_t number);
// "0:44", "2:05:00", "3d 04:00"
std::string clock_text(std::chrono::seconds seconds);

}  // namespace godwit::cli
