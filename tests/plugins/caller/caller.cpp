// Does with the host's functions what its input says, so that tests can ask for each: {"do": "invoke", ...}.
#include <godwit/sdk.hpp>
#include <iostream>
#include <thread>

namespace json = godwit::json;

namespace {

std::string text(const json::object& input, const char* key) {
  return std::string(input.at(key).as_string());
}

}  // namespace

class Caller {
 public:
  explicit Caller(const json::object& config) : config_(config) {
    if (config.contains("refuse")) godwit::fail("bad_config", "the configuration is not to its taste");
  }

  json::value run(godwit::Call& call, const json::object& input) {
    const std::string what = text(input, "do");
    if (what == "invoke")
      return call.invoke(text(input, "name"), input.at("args").as_object(),
                         input.contains("suffix") ? text(input, "suffix") : std::string());
    if (what == "fail") godwit::fail(text(input, "code"), text(input, "message"));
    if (what == "retry") godwit::retry("later", "not now", std::chrono::milliseconds(1500));
    if (what == "throw") throw std::runtime_error("an exception of the plugin");
    if (what == "bad_output") return bad_output(call);
    if (what == "emit") return emit(call, input);
    if (what == "log") return log(call);
    if (what == "wait") return wait(call);
    if (what == "who")
      return {{"key", call.idempotency_key()},
              {"attempt", call.attempt()},
              {"deadline", call.deadline().has_value()},
              {"config", config_}};
    godwit::fail("bad_input", "unknown wish: " + what);
  }

 private:
  static json::value bad_output(godwit::Call& call) {
    const std::string_view broken = "{\"a\":";
    call.host()->output(call.handle(), {reinterpret_cast<const std::uint8_t*>(broken.data()), broken.size()});
    return nullptr;
  }
  static json::value emit(godwit::Call& call, const json::object& input) {
    for (const auto& row : input.at("rows").as_array()) call.emit("rows", row);
    return input.at("rows").as_array().size();
  }
  static json::value log(godwit::Call& call) {
    call.log(godwit::Level::warning, "a line of the log", {{"n", 7}});
    call.log(godwit::Level::info, "bad \xff bytes");
    std::cout << "a line of stdout\n";
    std::cerr << "a line of stderr\n";
    for (int i = 1; i <= 1000; ++i) call.progress(static_cast<std::uint64_t>(i), 1000, {{"i", i}});
    return true;
  }
  static json::value wait(godwit::Call& call) {
    while (true) {
      call.check_cancel();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  json::object config_;
};
GODWIT_STAGE(Caller, "caller")
GODWIT_PLUGIN(&gw_unit_Caller)
