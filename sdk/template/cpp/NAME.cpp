#include <godwit/typed.hpp>

// What a job writes after `with:`. The JSON Schema in the manifest comes from here.
struct Params {
  std::string who = "world";
  int times = 1;
};
BOOST_DESCRIBE_STRUCT(Params, (), (who, times))
inline void godwit_doc(godwit::Doc<Params>& doc) {
  doc(&Params::who, "Who is greeted").min_length(1);
  doc(&Params::times, "How often").minimum(1).maximum(1000);
}

struct Result {
  std::vector<std::string> greetings;
};
BOOST_DESCRIBE_STRUCT(Result, (), (greetings))

class Greeter {
 public:
  Result run(godwit::Call& call, const Params& params) {
    Result result;
    for (int i = 0; i < params.times; ++i) {
      call.check_cancel();
      result.greetings.push_back("Hello, " + params.who + "!");
      call.progress(static_cast<std::uint64_t>(i + 1), static_cast<std::uint64_t>(params.times));
    }
    return result;
  }
};
GODWIT_STAGE(Greeter, "@NAME@")
GODWIT_PLUGIN(&gw_unit_Greeter)
