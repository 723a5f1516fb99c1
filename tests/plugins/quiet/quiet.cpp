// Asks for extensions that its manifest does not name; gives the number of those it got.
#include <godwit/sdk.hpp>

class Quiet {
 public:
  godwit::json::value run(godwit::Call& call, const godwit::json::object&) {
    int given = 0;
    for (const char* id : {GW_EXT_HTTP, GW_EXT_ARTIFACT, GW_EXT_SECRET, "godwit.draft.x/1", "", "godwit.http/2"})
      if (call.host()->extension(id)) ++given;
    return given;
  }
};
GODWIT_STAGE(Quiet, "quiet")
GODWIT_PLUGIN(&gw_unit_Quiet)
