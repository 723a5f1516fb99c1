#include "check/plugin.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include "base/error.hpp"

namespace godwit::check {
namespace {

base::Error failed(const std::string& what) {
  return base::Error(base::ErrorKind::failed, what);
}

gw_view view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

pid_t loader = 0;  // the process that has loaded the plugin

// What the plugin's function gives. An exception would end its process in godwit-host.
template <typename Function>
auto without_exceptions(const char* name, const Function& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    throw failed(std::string(name) + " lets an exception out: " + error.what());
  } catch (...) {
    throw failed(std::string(name) + " lets an exception out");
  }
}

std::string failure_of(const gw_call& call) {
  if (call.failure_code_.empty() && call.failure_text_.empty()) return "it gave no reason";
  return call.failure_code_ + ": " + call.failure_text_;
}

}  // namespace

Plugin::Plugin(const std::string& path) {
  loader = ::getpid();
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw failed(std::string("cannot be loaded: ") + ::dlerror());
  void* symbol = ::dlsym(library, "godwit_plugin_v1");
  if (!symbol) throw failed("does not export godwit_plugin_v1");
  gw_call load{CallPlan()};
  load.in_open_ = true;
  const auto entry = reinterpret_cast<const gw_plugin* (*)(const gw_host*, gw_call*)>(symbol);
  table_ = without_exceptions("godwit_plugin_v1()", [&] { return entry(&fake_host(), &load); });
  if (!table_) throw failed("godwit_plugin_v1() gave up: " + failure_of(load));
}

bool Plugin::in_fork() {
  return loader != 0 && loader != ::getpid();
}

const gw_unit* Plugin::find(std::string_view id) const {
  for (std::uint32_t i = 0; i < table_->unit_count; ++i)
    if (table_->units[i] && table_->units[i]->id && id == table_->units[i]->id) return table_->units[i];
  return nullptr;
}

std::string Ran::text() const {
  if (status == GW_OK) return output.value_or("null");
  return "status " + std::to_string(status) + (failure.empty() ? "" : ", " + failure);
}

Instance::Instance(const gw_unit& unit, std::string_view config) : unit_(unit) {
  gw_call call{CallPlan()};
  call.in_open_ = true;
  GuardedBytes bytes(config);
  const gw_status status = without_exceptions(
      "open()", [&] { return unit.open(&fake_host(), &call, view_of(bytes.view()), &self_); });
  if (status != GW_OK) throw failed("the unit \"" + std::string(unit.id) + "\" did not open: " + failure_of(call));
}

Instance::~Instance() {
  unit_.close(self_);
}

Ran Instance::run(std::string_view method, std::string_view input, CallPlan plan) const {
  auto call = std::make_unique<gw_call>(std::move(plan));
  Ran ran = run(method, input, *call);
  bury(std::move(call));
  return ran;
}

Ran Instance::run(std::string_view method, std::string_view input, gw_call& call) const {
  Ran ran;
  {
    const GuardedBytes method_bytes(method), input_bytes(input);
    ran.status = without_exceptions(
        "run()", [&] { return unit_.run(self_, &call, view_of(method_bytes.view()), view_of(input_bytes.view())); });
  }
  ran.output = call.output_;
  ran.output_failed = call.output_failed_;
  ran.code = call.failure_code_;
  if (ran.status != GW_OK) ran.failure = failure_of(call);
  ran.complaints = call.complaints_;
  ran.counts = call.counts_;
  ran.emitted = call.emitted_;
  return ran;
}

}  // namespace godwit::check
