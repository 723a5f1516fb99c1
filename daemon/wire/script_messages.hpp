#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "model/script_run.hpp"
#include "wire/host_messages.hpp"

namespace godwit::wire {

// The messages between godwitd and a godwit-host that runs scripts (`godwit-host --scripts`), beside ping and pong.
// Frame::call is the number of the machine: one run of one script in memory. Their types go on where HostMessage ends.
enum class ScriptMessage : std::uint16_t {
  read = 64,  // daemon: blob bundle; call is given back
  header,     // host: blob header (JSON object), or a JSON list of problems with flags = 1
  open,       // daemon: blobs budget, bundle, facts
  record,     // daemon: blob recorded steps, in their order; any number of these
  go,         // daemon: nothing more is recorded, begin
  answer,     // daemon: tag = request, blob outcome
  drop,       // daemon: the machine is not needed any more
  output,     // host: blob output
  guilty,     // host: blobs code, message: this machine did not stop when it should have; the process ends
};

// Values as bytes and back. unpack throws Error(refused) for bytes that pack did not make.
std::string pack(const model::script::Budget& value);
std::string pack(const model::script::RunFacts& value);
std::string pack(const std::vector<model::script::RecordedStep>& value);
std::string pack(const model::script::Outcome& value);
std::string pack(const model::script::Output& value);
void unpack(std::string_view bytes, model::script::Budget& value);
void unpack(std::string_view bytes, model::script::RunFacts& value);
void unpack(std::string_view bytes, std::vector<model::script::RecordedStep>& value);
void unpack(std::string_view bytes, model::script::Outcome& value);
void unpack(std::string_view bytes, model::script::Output& value);

void append_message(std::string& out, ScriptMessage type, std::uint64_t machine, std::uint32_t tag, std::uint8_t flags,
                    std::initializer_list<std::string_view> blobs);

}  // namespace godwit::wire
