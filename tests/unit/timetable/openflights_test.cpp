#include <cstdlib>
#include <fstream>
#include <sstream>

#include "timetable/csv.hpp"
#include "timetable/openflights.hpp"
#include "unit/timetable/fixture.hpp"

using namespace timetable;
using namespace timetable::test;

namespace {

std::vector<CsvReader::Record> read(const std::string& text) {
  std::istringstream input(text);
  CsvReader reader(input);
  std::vector<CsvReader::Record> records;
  while (auto record = reader.next()) records.push_back(std::move(*record));
  return records;
}

template <typename Load>
LoadReport load(Load loader, const std::string& text, Catalog& catalog) {
  std::istringstream input(text);
  return loader(input, "table.dat", catalog);
}

const char* const kAirports =
    "1,\"Test \"\"Field\"\", "
    "North\",\"O'Hara\",Germany,QQA,EDQA,50.5,8.25,100,1,E,\"Europe/Berlin\",\"airport\",\"x\"\r\n"
    "2,ST MARY\\'S,\"ST MARY\\'S\",United Kingdom,QQB,\\N,49.9,-6.3,116,0,E,Europe/London,airport,x\n"
    "3,No Code,Nowhere,Germany,\\N,EDQC,50,8,100,1,E,Europe/Berlin,airport,x\n"
    "\n"
    "4,No Zone,Nowhere,Germany,QQD,EDQD,50,8,100,1,E,\\N,airport,x\n"
    "5,Wrong,Nowhere,Germany,QQE,EDQE,north,8,100,1,E,Europe/Berlin,airport,x\n"
    "6,Far,Nowhere,Germany,QQF,EDQF,50,888,100,1,E,Europe/Berlin,airport,x\n"
    "7,NaN,Nowhere,Germany,QQG,EDQG,nan,8,100,1,E,Europe/Berlin,airport,x\n"
    "8,short line\n"
    "9,\"never closed,Nowhere,Germany,QQH,EDQH,50,8,100,1,E,Europe/Berlin,airport,x\n"
    "10,Bad bytes \xff,Nowhere,Germany,QQI,EDQI,50,8,100,1,E,Europe/Berlin,airport,x\n"
    "11,Frankfurt,Frankfurt,Germany,FRA,EDDF,50.0333,8.5706,364,1,E,\\N,airport,x\n"
    "12,S\xc3\xa3o Test,S\xc3\xa3o Test,Brazil,QQJ,SBQJ,-23,-46,100,-3,S,America/Sao_Paulo,airport,x";

}  // namespace

TEST_CASE("fields may be quoted, escaped, unknown or empty") {
  const auto records = read("a,\"b,c\",\"d\"\"e\",\"f\\\"g\",\\N,,\n\xef\xbb\xbfx\r\n\"\"\n");
  REQUIRE(records.size() == 3);
  CHECK(records[0].fields == std::vector<std::string>{"a", "b,c", "d\"e", "f\"g", "", "", ""});
  CHECK(records[1].fields.size() == 1);
  CHECK(records[2].fields == std::vector<std::string>{""});
  CHECK(read("\xef\xbb\xbfx,y").at(0).fields == std::vector<std::string>{"x", "y"});
  CHECK(read("\"a\"b").at(0).problem == "text follows a closing quote");
  CHECK(read("\"a").at(0).problem == "a quote is not closed");
  CHECK(read("\"a\\").at(0).problem == "a quote is not closed");
  CHECK(read("\xc0\x80").at(0).problem == "the line is not UTF-8");
  CHECK(read("\xe2\x82").at(0).problem == "the line is not UTF-8");
  CHECK(read(std::string(20'000, 'x')).at(0).problem == "the line is longer than 16 KiB");
  CHECK(read("").empty());
}

TEST_CASE("usable airports are taken, the others are counted with their reason and line") {
  Catalog catalog = Catalog::built_in();
  const std::size_t before = catalog.airports().size();
  const LoadReport report = load(load_airports, kAirports, catalog);
  CHECK(report.rows == 12);
  CHECK(report.used == 4);
  CHECK(catalog.airports().size() == before + 3);
  CHECK(report.skipped.at("no IATA code") == 1);
  CHECK(report.skipped.at("no time zone") == 1);
  CHECK(report.skipped.at("the latitude is no number from -90 to 90") == 2);
  CHECK(report.skipped.at("the longitude is no number from -180 to 180") == 1);
  CHECK(report.skipped.at("too few fields") == 1);
  CHECK(report.first_skips.front() == "table.dat:3: no IATA code");
  CHECK(report.text().find("4 of 12 records used") != std::string::npos);
  const Airport& quoted = catalog.airports()[static_cast<std::size_t>(catalog.find_airport("QQA"))];
  CHECK(quoted.name == "Test \"Field\", North");
  CHECK(quoted.country == "DE");  // learnt from Frankfurt, which is in both
  CHECK(catalog.airports()[static_cast<std::size_t>(catalog.find_airport("QQB"))].city == "ST MARY'S");
  const Airport& frankfurt = catalog.airports()[static_cast<std::size_t>(catalog.find_airport("FRA"))];
  CHECK(frankfurt.zone == "Europe/Berlin");
  CHECK(frankfurt.size == 3);
}

TEST_CASE("a header line is no record, whatever its names are") {
  Catalog catalog = Catalog::built_in();
  const LoadReport report = load(load_airports,
                                 "id,name,city,country,iata,icao,latitude,longitude,altitude,offset,dst,zone\n1,A,A,"
                                 "Germany,QQA,EDQA,50,8,1,1,E,Europe/Berlin\n",
                                 catalog);
  CHECK(report.rows == 1);
  CHECK(report.used == 1);
  CHECK(load(load_airlines, "id,name,alias,iata,icao,callsign,country,active\n", catalog).rows == 0);
  CHECK(load(load_routes, "airline,airline_id,source,source_id,destination,destination_id,codeshare,stops,equipment\n",
             catalog)
            .rows == 0);
}

TEST_CASE("airlines that are active and have a code are taken, the first of a code stays") {
  Catalog catalog = Catalog::built_in();
  const LoadReport report = load(
      load_airlines,
      "-1,Unknown,\\N,-,N/A,\\N,\\N,Y\n1,Private flight,\\N,-,N/A,\\N,\\N,Y\n2,Quiet Air,\\N,Q1,QQX,QUIET,Germany,N\n"
      "3,Quick Air,\\N,Q1,QQY,QUICK,Germany,Y\n4,Other Air,\\N,Q1,QQZ,OTHER,Germany,Y\n5,Not "
      "Lufthansa,\\N,LH,XXX,X,Germany,Y\n",
      catalog);
  CHECK(report.used == 1);
  CHECK(catalog.airlines()[static_cast<std::size_t>(catalog.find_airline("Q1"))].name == "Quick Air");
  CHECK(catalog.airlines()[static_cast<std::size_t>(catalog.find_airline("LH"))].name == "Lufthansa");
}

TEST_CASE("routes of a file take the place of the modelled network") {
  Catalog catalog = Catalog::built_in();
  const LoadReport report = load(load_routes,
                                 "LH,3320,FRA,340,LIS,1638,,0,320\nLH,3320,LIS,1638,FRA,340,,0,320\nLH,3320,FRA,340,"
                                 "OSL,644,,0,320\nLH,3320,OSL,644,FRA,340,,0,320\n"
                                 "LH,3320,FRA,340,VIE,1613,Y,0,320\nZZ,1,FRA,340,VIE,1613,,0,320\nLH,3320,FRA,340,QQQ,"
                                 "1,,0,320\nLH,3320,FRA,340,FRA,340,,0,320\n"
                                 "LH,3320,FRA,340,JFK,1,,1,320\nLH\n",
                                 catalog);
  CHECK(report.rows == 10);
  CHECK(report.used == 4);
  CHECK(report.skipped.at("unknown airline") == 1);
  CHECK(report.skipped.at("unknown airport") == 1);
  CHECK(report.skipped.at("not a non-stop flight") == 1);
  std::vector<std::string> problems;
  const Model small(std::move(catalog), ModelOptions{}, problems);
  CHECK(small.network().services() == 4);
  const auto offers = [&small](const char* from, const char* to) {
    return search({{"origin", from}, {"destination", to}, {"depart", "2027-05-14"}}, small).at("offers").as_array();
  };
  REQUIRE_FALSE(offers("FRA", "LIS").empty());
  CHECK(offers("FRA", "LIS")[0].at("outbound").at("stops") == 0);
  // The times are modelled, so that not every flight to the hub arrives in time for one onward; one direction has them.
  int connections = 0;
  for (const auto& [from, to] : {std::pair("OSL", "LIS"), std::pair("LIS", "OSL")}) {
    for (const json::value& offer : offers(from, to)) {
      CHECK(offer.at("outbound").at("stops") == 1);
      CHECK(offer.at("outbound").at("segments").at(0).at("to") == "FRA");
      ++connections;
    }
  }
  CHECK(connections > 0);
  CHECK(offers("FRA", "VIE").empty());
}

TEST_CASE("airports in a zone the system does not know are left out and named") {
  Catalog catalog = Catalog::built_in();
  load(load_airports,
       "1,A,A,Germany,QQA,EDQA,50,8,1,1,E,Europe/Atlantis\n2,B,B,Germany,QQB,EDQB,50,8,1,1,E,Europe/Berlin\n", catalog);
  std::vector<std::string> problems;
  const Model model(std::move(catalog), ModelOptions{}, problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] == "airport QQA: the system knows no time zone 'Europe/Atlantis'; left out");
  CHECK(model.catalog().find_airport("QQA") == Catalog::kNone);
  CHECK(model.catalog().find_airport("QQB") != Catalog::kNone);
  CHECK_FALSE(search({{"origin", "FRA"}, {"destination", "JFK"}, {"depart", "2027-05-14"}}, model)
                  .at("offers")
                  .as_array()
                  .empty());
}

TEST_CASE("the real tables of OpenFlights load") {
  const char* const root = std::getenv("GODWIT_TEST_DATA");
  if (root == nullptr) {
    WARN("skipped: GODWIT_TEST_DATA is not set");
    SUCCEED();
    return;
  }
  Catalog catalog = Catalog::built_in();
  const std::string folder = std::string(root) + "/data/aviation/";
  std::ifstream airports(folder + "airports.csv");
  std::ifstream airlines(folder + "airlines.csv");
  std::ifstream routes(folder + "routes.csv");
  REQUIRE(airports);
  CHECK(load_airports(airports, "airports.csv", catalog).used > 5000);
  CHECK(load_airlines(airlines, "airlines.csv", catalog).used > 500);
  CHECK(load_routes(routes, "routes.csv", catalog).used > 40'000);
  std::vector<std::string> problems;
  const Model full(std::move(catalog), ModelOptions{}, problems);
  CHECK(problems.size() < 50);
  CHECK(full.network().services() > 40'000);
  CHECK_FALSE(
      search({{"origin", "LIS"}, {"destination", "FRA"}, {"depart", "2027-05-14"}, {"return", "2027-05-17"}}, full)
          .at("offers")
          .as_array()
          .empty());
}
