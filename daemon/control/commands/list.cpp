#include <memory>

#include "base/json_text.hpp"
#include "base/suggest.hpp"
#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kListMax = 10'000;
constexpr std::size_t kPageLeast = 500;  // of the store's rows, where few of them may be wanted

model::RunState parse_state(const std::string& word) {
  if (const auto state = model::parse_run_state(word)) return *state;
  std::vector<std::string> known;
  std::string list;
  for (const auto& info : model::kRunStates) {
    known.emplace_back(info.name);
    list += (list.empty() ? "" : ", ") + known.back();
  }
  const std::string hint = base::suggest(word, known);
  throw base::refused("there is no state '" + word + "'", {}, hint.empty() ? "states: " + list : hint);
}

// The store knows what was recorded; whether a run waits or works right now only the engine can say.
void add_live_state(json::object& row, const engine::Engine& engine) {
  const auto recorded = model::parse_run_state(row.at("state").as_string());
  if (recorded && model::is_terminal(*recorded)) return;
  auto live = engine.live(model::RunId{row.at("run").to_number<std::int64_t>()});
  if (const auto* state = live.if_contains("state")) row["state"] = *state;
  if (const auto* done = live.if_contains("done"))
    row["progress"] = json::object{
        {"done", *done}, {"total", live.at("total")}, {"failed", live.at("failed")}, {"fields", live.at("fields")}};
}

// Reads the store's rows page by page until there are as many as asked for in the wanted state, or no more.
class Search : public std::enable_shared_from_this<Search> {
 public:
  Search(Services& services, Reply reply, engine::RunFilter filter)
      : services_(services), reply_(std::move(reply)), filter_(std::move(filter)), limit_(filter_.limit) {}

  void read_page() {
    services_.history.list_runs(
        filter_, reply_.when<json::array>([self = shared_from_this()](json::array& rows) { self->take(rows); }));
  }

 private:
  void take(json::array& rows) {
    const bool more = rows.size() == filter_.limit && !rows.empty();
    if (more) filter_.before = model::RunId{rows.back().at("run").to_number<std::int64_t>()};
    for (auto& row : rows) {
      add_live_state(row.as_object(), services_.engine);
      if (filter_.state && row.at("state").as_string() != model::name(*filter_.state)) continue;
      if (kept_.size() < limit_) kept_.push_back(std::move(row));
    }
    // Nobody waits for the answer of a client that is gone.
    if (kept_.size() == limit_ || !more || !reply_.channel()) return reply_.result(std::move(kept_));
    filter_.limit = std::max(limit_, kPageLeast);
    read_page();
  }

  Services& services_;
  Reply reply_;
  engine::RunFilter filter_;
  std::size_t limit_;
  json::array kept_;
};

}  // namespace

Command run_list(Services& services) {
  return {"run.list",
          Role::viewer,
          "Lists runs by number, the highest first, without their parameters.",
          {{"state", ParameterType::text, false, "only runs in this state"},
           {"job", ParameterType::text, false, "only runs of this job"},
           {"labels", ParameterType::object, false, "only runs with these labels: {name: value}"},
           {"limit", ParameterType::count, false, "how many at most (50)"},
           {"before", ParameterType::run, false, "only runs with a smaller number, for the next page"}},
          [&services](Call call) {
            engine::RunFilter filter;
            if (call.arguments.has("state")) filter.state = parse_state(call.arguments.text("state"));
            filter.job = call.arguments.text("job");
            for (const auto& [name, value] : call.arguments.take_object("labels"))
              filter.labels[name] = value.is_string() ? std::string(value.as_string()) : base::serialize(value);
            filter.limit = static_cast<std::size_t>(std::min(call.arguments.count("limit", 50), kListMax));
            filter.before = call.arguments.find_run("before");
            require_store(services);
            std::make_shared<Search>(services, call.reply, std::move(filter))->read_page();
          }};
}

}  // namespace godwit::control::commands
