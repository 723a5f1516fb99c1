#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "engine/answer.hpp"
#include "engine/clock.hpp"
#include "model/run.hpp"
#include "store/reader.hpp"

namespace godwit::store {

// Numbers for new runs, taken from the database in blocks ahead of need, so that a submit seldom waits for one. Engine
// thread only.
class RunNumbers {
 public:
  RunNumbers(engine::Clock& clock, Reader& reader) : clock_(clock), reader_(reader) {}

  void prefetch() { refill(); }
  void allocate(std::size_t count, engine::Answer<std::vector<model::RunId>> answer);

 private:
  struct Waiting {
    std::size_t count;
    engine::Answer<std::vector<model::RunId>> answer;
  };
  void refill();
  void filled(engine::Result<std::vector<model::RunId>> numbers);
  void serve();
  std::vector<model::RunId> take(std::size_t count);

  engine::Clock& clock_;
  Reader& reader_;
  std::deque<model::RunId> pool_;
  std::deque<Waiting> waiting_;
  std::size_t block_ = 64;
  base::Tick last_refill_{};
  bool refilling_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // answers may come when this is gone
};

}  // namespace godwit::store
