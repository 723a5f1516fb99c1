#include "flights/selection.hpp"

#include <algorithm>

#include "flights/items.hpp"

namespace flights {
namespace {

json::object cheapest_of(const Field& list, const Filters& filters) {
  const std::vector<Offer> offers = Offer::parse_list(list);
  const Selection selection = Selection::of(offers, filters);
  const auto best = selection.cheapest(offers);
  return {{"found", best.has_value()},
          {"offer", best ? json::value(offers[*best].summary()) : json::value()},
          {"kept", selection.kept.size()},
          {"dropped", selection.dropped.size()},
          {"reasons", to_json(selection.reasons)}};
}

json::object cheapest_of_pair(const ItemResult& item, const Filters& filters) {
  json::object pair{{"item", item.item.value()}};
  const auto failed = [&pair](std::string_view code, std::string_view message) {
    pair.emplace("found", false);
    pair.emplace("error", json::object{{"code", json::string(code)}, {"message", json::string(message)}});
  };
  if (!item.succeeded) {
    failed(item.code, item.message);
    return pair;
  }
  try {
    for (auto& member : cheapest_of(item.output["offers"], filters))
      pair.emplace(member.key(), std::move(member.value()));
  } catch (const godwit::Failure& failure) {
    // One provider's nonsense must not cost the other pairs.
    failed(failure.code(), failure.message());
  }
  return pair;
}

}  // namespace

Selection Selection::of(const std::vector<Offer>& offers, const Filters& filters) {
  Selection selection;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    std::vector<std::string> reasons = filters.reasons_against(offers[i]);
    if (reasons.empty()) {
      selection.kept.push_back(i);
      continue;
    }
    for (const std::string& reason : reasons) ++selection.reasons[reason];
    selection.dropped.push_back({i, std::move(reasons)});
  }
  return selection;
}

std::optional<std::size_t> Selection::cheapest(const std::vector<Offer>& offers) const {
  if (kept.empty()) return std::nullopt;
  std::size_t best = kept.front();
  for (const std::size_t i : kept) {
    if (!offers[i].price.same_currency(offers[best].price))
      godwit::fail("mixed_currencies", "the offers are in " + offers[best].price.currency + " and in " +
                                           offers[i].price.currency +
                                           ", so none of them is the cheapest; ask the provider for one currency");
    if (offers[i].better_than(offers[best])) best = i;
  }
  return best;
}

json::object filter_offers(const json::object& input) {
  const Field fields(input);
  fields.allow_only({"offers", "filters"});
  const std::vector<Offer> offers = Offer::parse_list(fields["offers"]);
  const Selection selection = Selection::of(offers, Filters::parse(fields["filters"]));
  json::array kept;
  for (const std::size_t i : selection.kept) kept.push_back(*offers[i].source);
  json::array dropped;
  for (const Selection::Dropped& drop : selection.dropped)
    dropped.push_back(json::object{{"id", offers[drop.index].id},
                                   {"reasons", json::array(drop.reasons.begin(), drop.reasons.end())}});
  return {{"offers", std::move(kept)},
          {"kept", selection.kept.size()},
          {"dropped", selection.dropped.size()},
          {"reasons", to_json(selection.reasons)},
          {"dropped_offers", std::move(dropped)}};
}

json::object cheapest_offers(const json::object& input) {
  const Field fields(input);
  fields.allow_only({"offers", "found", "filters"});
  const Filters filters = Filters::parse(fields["filters"]);
  if (!fields["found"].given()) return cheapest_of(fields["offers"], filters);
  if (fields["offers"].given()) fields["offers"].refuse("give either offers or found, not both");
  json::array pairs;
  const Field found = fields["found"];
  for (std::size_t i = 0; i < found.size(); ++i)
    pairs.push_back(cheapest_of_pair(ItemResult::parse(found[i]), filters));
  return {{"pairs", std::move(pairs)}};
}

}  // namespace flights
