// Waits until a file is there: holds runs in mid-step for as long as a test wants.
#include <unistd.h>

#include <chrono>
#include <godwit/sdk.hpp>
#include <thread>

namespace json = godwit::json;

class Hold {
 public:
  explicit Hold(const json::object&) {}

  json::value run(godwit::Call& call, const json::object& input) {
    const std::string file(input.at("file").as_string());
    while (::access(file.c_str(), F_OK) != 0) {
      call.check_cancel();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
};
GODWIT_STAGE(Hold, "hold")
GODWIT_PLUGIN(&gw_unit_Hold)
