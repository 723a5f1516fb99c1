#include "flights/sweep.hpp"

#include <algorithm>
#include <set>

namespace flights {
namespace {

constexpr std::chrono::milliseconds kFirstPause{1000};
constexpr std::chrono::milliseconds kLongestPause{60'000};

std::vector<std::string> each_once(const Field& list, bool airports) {
  if (list.size() == 0) list.refuse("must not be empty");
  std::vector<std::string> result;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string entry = airports ? list[i].airport() : list[i].text();
    if (!seen.insert(entry).second) list[i].refuse(entry + " is in the list twice");
    result.push_back(std::move(entry));
  }
  return result;
}

std::string days_key(const std::string& destination) {
  return "days/" + destination;
}

}  // namespace

Sweep::Sweep(const json::object& input, SweepWorld& world) : world_(world) {
  const Field fields(input);
  fields.allow_only({"origin", "destinations", "dates", "search", "filters", "attempts", "method"});
  origin_ = fields["origin"].airport();
  destinations_ = each_once(fields["destinations"], true);
  dates_ = each_once(fields["dates"], false);
  method_ = fields["method"].given() ? fields["method"].text() : "flight-search/1.search";
  if (fields["search"].given()) {
    fields["search"].allow_only({"adults", "excluded_airlines", "max_stops", "max_offers", "currency", "as_of"});
    search_args_ = fields["search"].object();
  }
  if (fields["filters"].given()) filters_ = Filters::parse(fields["filters"]);
  if (fields["attempts"].given()) attempts_ = static_cast<int>(fields["attempts"].whole(1, 100));
}

json::object Sweep::run() {
  restore();
  while (index_ < total()) step();
  return state_.result(total());
}

void Sweep::restore() {
  const auto saved = world_.load("sweep");
  if (!saved) return;
  const json::object wrapped{{"checkpoint", *saved}};
  const Field checkpoint = Field(wrapped)["checkpoint"];
  index_ = checkpoint["index"].whole(0, total());
  state_ = SweepState::restore(checkpoint["state"]);
  const auto dates = static_cast<std::int64_t>(dates_.size());
  for (std::int64_t d = 0; d < index_ / dates; ++d) {
    const std::string& destination = destinations_[static_cast<std::size_t>(d)];
    const auto days = world_.load(days_key(destination));
    if (!days)
      godwit::fail("bad_checkpoint", "the prices of " + destination + " are missing although its searches are done");
    const json::object row{{"days", *days}};
    state_.restore_days(destination, Field(row)["days"]);
  }
  if (index_ % dates != 0)
    state_.restore_days(destinations_[static_cast<std::size_t>(index_ / dates)], checkpoint["days"]);
}

void Sweep::step() {
  const auto dates = static_cast<std::int64_t>(dates_.size());
  const std::string& destination = destinations_[static_cast<std::size_t>(index_ / dates)];
  const std::string& date = dates_[static_cast<std::size_t>(index_ % dates)];
  json::object args = search_args_;
  args["origin"] = origin_;
  args["destination"] = destination;
  args["depart"] = date;
  try {
    const json::object answer{{"answer", search_with_retries(args, destination + "/" + date)}};
    state_.add_answer(destination, date, Field(answer)["answer"], filters_ ? &*filters_ : nullptr);
  } catch (const godwit::Failure& failure) {
    // "host" is said where godwit itself could not make the call; going on would count searches that never were.
    if (failure.code() == "host") throw;
    state_.add_failure(destination, date, failure.code(), failure.message());
  }
  ++index_;
  save(index_ % dates == 0, destination);
  world_.progress(index_, total(), {{"found_flights", state_.found_flights()}, {"best_price", state_.best_price()}});
}

json::value Sweep::search_with_retries(const json::object& args, const std::string& key) {
  std::chrono::milliseconds pause = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    try {
      return world_.search(method_, args, attempt == 1 ? key : key + "#" + std::to_string(attempt));
    } catch (const godwit::Failure& failure) {
      if (!failure.retryable() || attempt >= attempts_) throw;
      world_.wait(std::max(pause, failure.retry_after().value_or(std::chrono::milliseconds(0))));
      pause = std::min(pause * 2, kLongestPause);
    }
  }
}

void Sweep::save(bool destination_finished, const std::string& destination) {
  json::array days = state_.save_days(destination);
  if (destination_finished) {
    world_.save(days_key(destination), days);
    days.clear();
  }
  world_.save("sweep", json::object{{"index", index_},
                                    {"found_flights", state_.found_flights()},
                                    {"best_price", state_.best_price()},
                                    {"state", state_.save()},
                                    {"days", std::move(days)}});
}

}  // namespace flights
