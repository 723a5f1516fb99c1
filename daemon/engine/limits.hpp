#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace godwit::engine {

// Named semaphores with weighted permits, local to this node. A request for several is granted all at once or not at
// all, and in the order of arrival: nobody who asks for little overtakes somebody who waits for much of the same limit.
class Limits {
 public:
  // Whose word on the number of permits counts: a later one wins over an earlier one, never the other way.
  enum class Source { job, config, operator_ };
  static std::string_view name(Source source);

  // What one request asks for, by limit.
  using Demand = std::map<std::string, int>;
  // A place in the queues, or granted permits. Given back with release(), granted or not; 0 is none.
  using Ticket = std::uint64_t;

  // Declares a limit or changes its permits. Fewer than are in use: nothing is taken away, nothing more is granted
  // until enough came back.
  void set(const std::string& name, int permits, Source source);
  bool known(const std::string& name) const { return limits_.contains(name); }
  int permits(const std::string& name) const;

  // Asks for permits; every limit must be known. When they are free the ticket has them at once; else waiting() is true
  // and `granted` is called from inside a later release() or set(). `holder` is what people see.
  Ticket acquire(const Demand& demand, std::string holder, std::function<void()> granted);
  void release(Ticket ticket);
  bool waiting(Ticket ticket) const;

  struct View {
    std::string name;
    int permits = 0;
    int used = 0;
    Source source = Source::job;
    std::size_t waiting = 0;
    std::vector<std::pair<std::string, int>> holders;  // at most 20, with their permits
  };
  std::vector<View> view() const;
  // The limits a waiting ticket still lacks, empty when it is granted or unknown.
  std::vector<View> missing(Ticket ticket) const;

 private:
  struct Request;
  struct Limit {
    int permits = 0;
    int used = 0;
    Source source = Source::job;
    std::deque<Request*> queue;
    std::size_t abandoned = 0;  // entries of the queue whose request was given back; they are null
  };
  struct Request {
    std::vector<std::pair<Limit*, int>> demand;
    std::string holder;
    std::function<void()> granted;
    bool waiting = false;
  };

  bool can_grant(const Request& request) const;
  void take(Request& request);
  void serve(Limit& limit);
  View view_of(const std::string& name, const Limit& limit) const;
  static Request* front(Limit& limit);

  std::map<std::string, Limit> limits_;
  std::unordered_map<Ticket, std::unique_ptr<Request>> requests_;
  Ticket last_ticket_ = 0;
};

}  // namespace godwit::engine
