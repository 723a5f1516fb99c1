#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

// A client that is this far behind is told of ends and changes of state only, until it has caught up.
constexpr std::size_t kFarBehind = 1u << 20;

// One client's view of one run. What the engine says is kept back until the client knows the state from which it goes
// on.
class Following : public std::enable_shared_from_this<Following> {
 public:
  Following(Services& services, model::RunId run, engine::Interest interest, Reply reply)
      : services_(services), run_(run), interest_(interest), reply_(std::move(reply)) {}

  void start() {
    const auto channel = reply_.channel();
    if (!channel) return;
    channel_ = channel;
    subscription_ =
        channel->subscribe([self = shared_from_this()] { self->services_.engine.unfollow(self->follower_); });
    follower_ = services_.engine.follow(run_, interest_, [self = weak_from_this()](const json::object& event) {
      if (const auto following = self.lock()) following->tell(event);
    });
    if (auto live = services_.engine.live(run_); !live.empty()) return open(std::move(live));
    try {
      require_store(services_);
    } catch (...) {
      channel->unsubscribe(subscription_);
      throw;
    }
    services_.history.show_run(run_, [self = shared_from_this()](engine::Result<json::object> row) {
      if (row) return self->reply_.guard([&] { self->open(state_of(*row)); });
      if (const auto to = self->channel_.lock()) to->unsubscribe(self->subscription_);
      self->reply_.error(row.error());
    });
  }

 private:
  // The stored row, with the members that live() and the events of progress have.
  static json::object state_of(json::object& row) {
    json::object state;
    if (auto* progress = row.if_contains("progress"); progress && progress->is_object())
      state = std::move(progress->get_object());
    for (const auto* name : {"run", "job", "state", "error"}) {
      if (auto* value = row.if_contains(name); value && !value->is_null()) state[name] = std::move(*value);
    }
    return state;
  }

  void open(json::object state) {
    state["event"] = "state";
    reply_.result(json::object{{"subscription", subscription_}});
    open_ = true;
    send(state);
    for (const auto& event : std::exchange(waiting_, {})) send(event);
  }

  void tell(const json::object& event) {
    if (open_) {
      send(event);
    } else {
      waiting_.push_back(event);
    }
  }

  void send(const json::object& event) {
    const auto to = channel_.lock();
    if (!to || ended_) return;
    const bool state = event.at("event") == "state";
    if (!state && to->backlog() > kFarBehind) {
      ++left_out_;
      return;
    }
    if (left_out_ > 0) {
      to->send_event(
          subscription_,
          json::object{{"event", "gap"}, {"run", model::number(run_)}, {"left_out", std::exchange(left_out_, 0)}});
    }
    to->send_event(subscription_, event);
    const auto* name = state ? event.if_contains("state") : nullptr;
    const auto reached = name && name->is_string() ? model::parse_run_state(name->get_string()) : std::nullopt;
    if (!reached || !model::is_terminal(*reached)) return;
    ended_ = true;
    to->unsubscribe(subscription_);
  }

  Services& services_;
  model::RunId run_;
  engine::Interest interest_;
  Reply reply_;
  std::weak_ptr<Channel> channel_;
  std::uint64_t subscription_ = 0;
  std::uint64_t follower_ = 0;
  bool open_ = false;
  bool ended_ = false;
  std::uint64_t left_out_ = 0;
  std::vector<json::object> waiting_;
};

}  // namespace

Command run_follow(Services& services) {
  return {"run.follow",
          Role::viewer,
          "Subscribes to a run: its state now, then every change, until the event of its end.",
          {{"run", ParameterType::run, true, "the number of the run"},
           {"states", ParameterType::boolean, false, "changes of the run's state only: no steps, progress or log"}},
          [&services](Call call) {
            const auto interest = call.arguments.boolean("states") ? engine::Interest::states : engine::Interest::everything;
            std::make_shared<Following>(services, call.arguments.run(), interest, call.reply)->start();
          }};
}

Command run_unfollow(Services&) {
  return {"run.unfollow",
          Role::viewer,
          "Ends a subscription of this connection.",
          {{"subscription", ParameterType::count, true, "what run.follow answered"}},
          [](Call call) {
            const auto channel = call.reply.channel();
            const auto subscription = static_cast<std::uint64_t>(call.arguments.count("subscription"));
            call.reply.result(json::object{{"ended", channel && channel->unsubscribe(subscription)}});
          }};
}

}  // namespace godwit::control::commands
