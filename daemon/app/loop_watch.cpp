#include "app/loop_watch.hpp"

namespace godwit::app {

LoopWatch::~LoopWatch() {
  while (!watched_.empty()) forget(watched_.begin()->first);
}

void LoopWatch::watch(int fd, std::function<void()> readable) {
  wait(watched_[fd] = std::make_shared<Watched>(loop_, fd, std::move(readable)));
}

void LoopWatch::wait(const std::shared_ptr<Watched>& watched) {
  watched->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                 [watched](const boost::system::error_code& error) {
                                   if (error || watched->forgotten) return;
                                   watched->readable();
                                   if (!watched->forgotten) wait(watched);
                                 });
}

// The descriptor belongs to somebody else, who closes it.
void LoopWatch::forget(int fd) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return;
  found->second->forgotten = true;
  found->second->descriptor.release();
  watched_.erase(found);
}

}  // namespace godwit::app
