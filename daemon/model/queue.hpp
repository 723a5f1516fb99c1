#pragma once

namespace godwit::model {

// How many runs of a named queue may be at work at once; 0 for as many as there are.
struct QueueSpec {
  int concurrency = 0;        // on one node
  int concurrency_total = 0;  // on all nodes together
  bool operator==(const QueueSpec&) const = default;
};

}  // namespace godwit::model
