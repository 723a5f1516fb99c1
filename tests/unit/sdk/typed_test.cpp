// Goal: a struct is all that an author writes about parameters. Method: what typed.hpp makes of one, held against what
// the struct says.
#include <catch2/catch.hpp>
#include <godwit/typed.hpp>

namespace json = godwit::json;

namespace typed_test {

enum class Currency { EUR, USD };
BOOST_DESCRIBE_ENUM(Currency, EUR, USD)

struct Offer {
  std::string id;
  double price = 0;
};
BOOST_DESCRIBE_STRUCT(Offer, (), (id, price))

struct Params {
  std::vector<Offer> offers;
  int keep = 10;
  std::optional<Currency> currency;
  std::map<std::string, std::uint8_t> weights;
  std::string note;
  bool strict = true;
};
BOOST_DESCRIBE_STRUCT(Params, (), (offers, keep, currency, weights, note, strict))
inline void godwit_doc(godwit::Doc<Params>& doc) {
  doc.about("What is ranked");
  doc(&Params::keep, "How many are kept").minimum(1).maximum(100);
  doc(&Params::weights).optional();
  doc(&Params::note, "For people").optional().max_length(5).pattern("^[a-z]*$");
}

struct Result {
  std::vector<Offer> offers;
  std::optional<Currency> currency;
};
BOOST_DESCRIBE_STRUCT(Result, (), (offers, currency))

class Flights {
 public:
  struct Config {
    int seats = 1;
  };
  explicit Flights(const Config& config) : seats_(config.seats) {}
  Result search(godwit::Call&, const Params& params) { return {params.offers, params.currency}; }
  json::value seats(godwit::Call&, const json::object&) { return seats_; }
  void ping(godwit::Call&, const json::object&) {}
  BOOST_DESCRIBE_CLASS(Flights, (), (search, seats, ping), (), ())

 private:
  int seats_;
};
BOOST_DESCRIBE_STRUCT(Flights::Config, (), (seats))
GODWIT_PROVIDER(Flights, "flights")

std::string problem(const char* text) {
  try {
    godwit::Codec<Params>::from(json::parse(text));
  } catch (const godwit::Failure& failure) {
    CHECK(failure.code() == "bad_input");
    CHECK_FALSE(failure.retryable());
    return failure.message();
  }
  return {};
}

std::string output;
std::string failed;
gw_host table() {
  gw_host host{};
  host.struct_size = sizeof host;
  host.fail = [](gw_call*, gw_view code, gw_view, std::int64_t) { failed = std::string(godwit::detail::text(code)); };
  host.output = [](gw_call*, gw_view result) -> gw_status {
    output = std::string(godwit::detail::text(result));
    return GW_OK;
  };
  return host;
}

}  // namespace typed_test

using namespace typed_test;

TEST_CASE("a struct is read with its defaults, and written back") {
  const auto params =
      godwit::Codec<Params>::from(json::parse(R"({"offers": [{"id": "a", "price": 3}], "currency": null})"));
  CHECK(params.offers.at(0).price == 3);
  CHECK(params.keep == 10);
  CHECK_FALSE(params.currency);
  CHECK(params.strict);
  CHECK(godwit::Codec<Result>::to({params.offers, Currency::USD}) ==
        json::parse(R"({"offers": [{"id": "a", "price": 3.0}], "currency": "USD"})"));
}

TEST_CASE("everything that is wrong is told with its place") {
  CHECK(problem(R"({})") == "offers is missing");
  CHECK(problem(R"([])") == "the input must be an object");
  CHECK(
      problem(
          R"({"offers": [{"id": 1, "x": 2}], "keep": 0, "currency": "GBP", "weights": {"w": 300}, "note": "ABCDEF", "strict": "no", "more": 1})") ==
      "offers[0].id must be a string; offers[0].price is missing; offers[0].x is not known here; keep must be at least "
      "1; currency must be one of EUR, "
      "USD; weights.w must be a whole number that fits; note must have at most 5 bytes; note must match ^[a-z]*$; "
      "strict must be true or false; more is "
      "not known here");
  CHECK(problem(R"({"offers": 7})") == "offers must be a list");
}

TEST_CASE("the schema says the same") {
  const json::object schema = godwit::Codec<Params>::schema();
  CHECK(schema.at("description") == "What is ranked");
  CHECK(schema.at("required") == json::parse(R"(["offers"])"));
  const json::object& properties = schema.at("properties").as_object();
  CHECK(properties.at("keep") ==
        json::parse(
            R"({"type": "integer", "minimum": 1, "maximum": 100, "description": "How many are kept", "default": 10})"));
  CHECK(properties.at("currency") == json::parse(R"({"enum": ["EUR", "USD", null]})"));
  CHECK(properties.at("weights").at("additionalProperties") ==
        json::parse(R"({"type": "integer", "minimum": 0, "maximum": 255})"));
  CHECK(properties.at("strict") == json::parse(R"({"type": "boolean", "default": true})"));
}

TEST_CASE("described member functions are the methods of a provider") {
  static const gw_host host = table();
  void* self = nullptr;
  REQUIRE(gw_unit_Flights.open(&host, nullptr, godwit::detail::view(R"({"seats": 3})"), &self) == GW_OK);
  const auto run = [&](const char* method, const char* input) {
    output.clear();
    failed.clear();
    return gw_unit_Flights.run(self, nullptr, godwit::detail::view(method), godwit::detail::view(input));
  };
  CHECK(run("search", R"({"offers": []})") == GW_OK);
  CHECK(output == R"({"offers":[],"currency":null})");
  CHECK(run("seats", "{}") == GW_OK);
  CHECK(output == "3");
  CHECK(run("ping", "{}") == GW_OK);
  CHECK(output == "null");
  CHECK(run("sink", "{}") == GW_FAILED);
  CHECK(failed == "no_method");
  CHECK(run("search", R"({"offers": 1})") == GW_FAILED);
  CHECK(failed == "bad_input");
  gw_unit_Flights.close(self);
  CHECK(gw_unit_Flights.open(&host, nullptr, godwit::detail::view(R"({"seat": 3})"), &self) == GW_FAILED);
}

TEST_CASE("a plugin tells the build the schemas of its types") {
  const auto* describe = static_cast<const gw_plugin_describe*>(godwit::detail::plugin_extension(GW_EXT_DESCRIBE));
  REQUIRE(describe);
  CHECK_FALSE(godwit::detail::plugin_extension("godwit.describe/2"));
  gw_view units{};
  describe->units(&units);
  const json::value all = json::parse(json::string_view(reinterpret_cast<const char*>(units.ptr), units.len));
  CHECK(all.at("flights").at("config").at("properties").at("seats").at("default") == 1);
  CHECK(all.at("flights").at("methods").at("search").at("args") == godwit::Codec<Params>::schema());
  CHECK_FALSE(all.at("flights").at("methods").at("ping").as_object().contains("result"));
}
