#include "base/suggest.hpp"
#include "control/commands/all.hpp"

namespace godwit::control::commands {
namespace {

namespace json = base::json;

constexpr std::int64_t kListMax = 10'000;

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
json::array with_live_states(json::array rows, const engine::Engine& engine, std::optional<model::RunState> wanted) {
  json::array kept;
  for (auto& value : rows) {
    auto& row = value.as_object();
    const auto recorded = model::parse_run_state(row.at("state").as_string());
    if (!recorded || !model::is_terminal(*recorded)) {
      auto live = engine.live(model::RunId{row.at("run").to_number<std::int64_t>()});
      if (const auto* state = live.if_contains("state")) row["state"] = *state;
      if (const auto* done = live.if_contains("done"))
        row["progress"] = json::object{
            {"done", *done}, {"total", live.at("total")}, {"failed", live.at("failed")}, {"fields", live.at("fields")}};
    }
    if (!wanted || row.at("state").as_string() == model::name(*wanted)) kept.push_back(std::move(value));
  }
  return kept;
}

}  // namespace

Command run_list(Services& services) {
  return {"run.list",
          Role::viewer,
          "Lists runs, newest first.",
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
              filter.labels[name] = value.is_string() ? std::string(value.as_string()) : json::serialize(value);
            filter.limit = static_cast<std::size_t>(std::min(call.arguments.count("limit", 50), kListMax));
            filter.before = call.arguments.find_run("before");
            require_store(services);
            const auto wanted = filter.state;
            services.history.list_runs(std::move(filter), call.reply.when<json::array>([reply = call.reply, &services,
                                                                                        wanted](json::array& rows) {
              reply.result(with_live_states(std::move(rows), services.engine, wanted));
            }));
          }};
}

}  // namespace godwit::control::commands
