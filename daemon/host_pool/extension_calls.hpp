#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifact/files.hpp"
#include "base/unique_fd.hpp"
#include "config/settings.hpp"
#include "engine/answer.hpp"
#include "host_pool/call.hpp"
#include "host_pool/egress.hpp"
#include "wire/frame.hpp"
#include "wire/host_messages.hpp"

namespace godwit::host_pool {

class Host;

struct ExtensionSettings {
  bool developer = false;      // drafts are given
  std::string egress_program;  // absolute path of godwit-egress
  std::string artifact_dir;
  std::uint64_t artifact_size_max = std::uint64_t(4) << 30;
  // Gives an artifact without a file, in base64: the store keeps those that were outputs of steps. Answers on the
  // engine's thread.
  std::function<void(std::string sha256, engine::Answer<std::string>)> read_output = {};
};

// The daemon's side of the extensions (sdk/include/godwit/ext/): answers what calls ask for. Used on the engine's
// thread; files are copied on another one.
class ExtensionCalls {
 public:
  // `plugins` is what the operator decided about each, by the manifest's id; who is not there may have nothing. It must
  // outlive this object.
  ExtensionCalls(boost::asio::io_context& context, ExtensionSettings settings,
                 const std::map<std::string, config::PluginSettings>& plugins);
  ~ExtensionCalls();

  // Whether the message is one of an extension; it is taken care of then. Throws base::Error for a malformed one.
  bool on_frame(Call& call, const wire::Frame& frame);
  void on_ended(const Call& call);

 private:
  struct Draft {
    base::UniqueFd fd;
    std::string name;
    std::string media_type;
  };
  // What a call has under way.
  struct Work {
    Call* call = nullptr;
    std::uint64_t request = 0;
    std::map<std::string, Draft> drafts;
    std::uint64_t last_draft = 0;
  };

  const config::PluginSettings& decided_on(const Call& call) const;
  void tell_limits(Call& call, const wire::Frame& frame);
  void http_request(Call& call, const wire::Frame& frame);
  void secret_get(Call& call, const wire::Frame& frame);
  void artifact_create(Call& call, const wire::Frame& frame);
  void artifact_commit(Call& call, const wire::Frame& frame);
  void artifact_open(Call& call, const wire::Frame& frame);
  void open_output(std::uint64_t number, std::uint32_t question, std::string sha256);
  // A file of these bytes for the plugin to read.
  void give_file(std::uint64_t number, std::uint32_t question, std::string base64);
  // For answers that come later: does nothing when the call has ended by then.
  void reply(std::uint64_t number, std::uint32_t question, wire::HostStatus status);
  void committed(std::uint64_t number, std::uint32_t question, const Draft& draft, const artifact::Stored& stored);

  boost::asio::io_context& context_;
  ExtensionSettings settings_;
  const std::map<std::string, config::PluginSettings>& plugins_;
  Egress egress_;
  artifact::Files files_;
  std::map<std::uint64_t, Work> work_;  // by the call's number
  boost::asio::thread_pool copier_{1};
  std::shared_ptr<ExtensionCalls*> self_ = std::make_shared<ExtensionCalls*>(this);  // for answers of the store
};

}  // namespace godwit::host_pool
