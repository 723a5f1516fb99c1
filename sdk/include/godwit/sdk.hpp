// The C++ side of the plugin ABI (godwit/plugin.h): a stage is a class with run(), a provider one with call() or with
// described methods. C++17; JSON is Boost.JSON, compiled into the plugin by godwit_add_plugin(). With godwit/typed.hpp
// parameters and results are structs, and their JSON Schemas come from them. README.md beside this folder is the
// tutorial.
#pragma once
#include <godwit/ext/describe.h>
#include <godwit/plugin.h>
#include <godwit/call.hpp>

#include <new>
#include <type_traits>
#include <vector>

namespace godwit {

// How a type stands in JSON. Specialise it, or include godwit/typed.hpp, which does so for described structs.
//   static T from(const json::value&);     throws Failure when the value is no T
//   static json::value to(const T&);
//   static json::object schema();          JSON Schema, draft 7
template <typename T, typename = void>
struct Codec;

template <>
struct Codec<json::value> {
  static const json::value& from(const json::value& value) { return value; }
  static const json::value& to(const json::value& value) { return value; }
  static json::object schema() { return {}; }
};
template <>
struct Codec<json::object> {
  static const json::object& from(const json::value& value) {
    if (!value.is_object()) fail("bad_input", "the input must be a JSON object");
    return value.get_object();
  }
  static json::value to(const json::object& value) { return value; }
  static json::object schema() { return {{"type", "object"}}; }
};

namespace detail {

// Runs `body` and turns whatever it throws into a status with fail(): nothing may be thrown across the C boundary.
template <typename Body>
gw_status guard(const gw_host* host, gw_call* call, Body&& body) noexcept {
  const auto report = [&](std::string_view code, std::string_view message, std::int64_t retry_after_ms) {
    host->fail(call, view(code), view(message), retry_after_ms);
  };
  try {
    return body();
  } catch (const Cancelled&) {
    return GW_CANCELLED;
  } catch (const Failure& failure) {
    report(failure.code(), failure.message(), failure.retry_after() ? failure.retry_after()->count() : -1);
    return failure.retryable() ? GW_RETRY : GW_FAILED;
  } catch (const std::exception& error) {
    report("exception", error.what(), -1);
  } catch (...) {
    report("exception", "the plugin threw something that is no std::exception", -1);
  }
  return GW_FAILED;
}

template <typename T, typename = void>
struct HasConfig : std::false_type {};
template <typename T>
struct HasConfig<T, std::void_t<typename T::Config>> : std::true_type {};

// The parameter and the result of run(), or of a described method.
template <typename Function>
struct Signature;
template <typename T, typename R, typename A>
struct Signature<R (T::*)(Call&, const A&)> {
  using Result = std::decay_t<R>;
  using Args = A;
};
template <typename T, typename R, typename A>
struct Signature<R (T::*)(Call&, const A&) const> : Signature<R (T::*)(Call&, const A&)> {};

// An instance of a unit and the table it needs to talk to the host.
template <typename T>
struct Instance {
  const gw_host* host;
  T object;
};

// The operator's configuration goes to the constructor: as T::Config, as a JSON object, or not at all.
template <typename T>
Instance<T>* make_instance(const gw_host* host, const json::value& config) {
  if constexpr (HasConfig<T>::value) {
    return new Instance<T>{host, T(Codec<typename T::Config>::from(config))};
  } else if constexpr (std::is_constructible_v<T, const json::object&>) {
    return new Instance<T>{host, T(config.as_object())};
  } else {
    return new Instance<T>{host, T()};
  }
}

template <typename T>
gw_status open(const gw_host* host, gw_call* call, gw_view config, void** self) noexcept {
  return guard(host, call, [&] {
    *self = make_instance<T>(host, parse(text(config)));
    return static_cast<gw_status>(GW_OK);
  });
}

// `body(instance, call, input)` gives the result as JSON.
template <typename T, typename Body>
gw_status run(void* self, gw_call* handle, gw_view input, Body&& body) noexcept {
  auto& instance = *static_cast<Instance<T>*>(self);
  return guard(instance.host, handle, [&]() -> gw_status {
    const json::value value = parse(text(input));
    Call call(instance.host, handle);
    const json::value result = body(instance.object, call, value);
    const gw_status status = instance.host->output(handle, view(json::serialize(result)));
    if (status == GW_TOO_BIG) fail("too_big", "the result is larger than 30 MiB; store it as an artifact and give its reference instead");
    return status;
  });
}

template <auto Function, typename T>
json::value call_typed(T& object, Call& call, const json::value& input) {
  using S = Signature<decltype(Function)>;
  const auto& args = Codec<typename S::Args>::from(input);
  if constexpr (std::is_void_v<typename S::Result>) {
    (object.*Function)(call, args);
    return nullptr;
  } else if constexpr (std::is_convertible_v<typename S::Result, json::value>) {
    return json::value((object.*Function)(call, args));
  } else {
    return Codec<typename S::Result>::to((object.*Function)(call, args));
  }
}

template <typename T>
gw_status run_stage(void* self, gw_call* handle, gw_view, gw_view input) noexcept {
  return run<T>(self, handle, input, [](T& object, Call& call, const json::value& value) {
    return call_typed<&T::run>(object, call, value);
  });
}

// Providers with described methods are those of godwit/typed.hpp.
template <typename T, typename = void>
struct Methods {
  static json::value call(T& object, Call& call, std::string_view method, const json::value& input) {
    return json::value(object.call(call, method, Codec<json::object>::from(input)));
  }
  static json::object describe() { return {}; }
};

template <typename T>
gw_status run_provider(void* self, gw_call* handle, gw_view method, gw_view input) noexcept {
  return run<T>(self, handle, input, [&](T& object, Call& call, const json::value& value) {
    return Methods<T>::call(object, call, text(method), value);
  });
}

template <typename T>
void close(void* self) noexcept {
  delete static_cast<Instance<T>*>(self);
}

// --- what godwit.describe/1 tells

template <typename Function>
json::object describe_function() {
  using S = Signature<Function>;
  json::object result{{"args", Codec<typename S::Args>::schema()}};
  if constexpr (!std::is_void_v<typename S::Result>) {
    json::object schema = Codec<typename S::Result>::schema();
    if (!schema.empty()) result["result"] = std::move(schema);
  }
  return result;
}

template <typename T>
json::object describe_config() {
  if constexpr (HasConfig<T>::value) return {{"config", Codec<typename T::Config>::schema()}};
  return {};
}

template <typename T>
json::object describe_stage() {
  json::object result = describe_function<decltype(&T::run)>();
  for (auto& member : describe_config<T>()) result[member.key()] = member.value();
  return result;
}

template <typename T>
json::object describe_provider() {
  json::object result = describe_config<T>();
  json::object methods = Methods<T>::describe();
  if (!methods.empty()) result["methods"] = std::move(methods);
  return result;
}

struct Description {
  const char* id;
  json::object (*describe)();
};
inline std::vector<Description>& descriptions() {
  static std::vector<Description> all;
  return all;
}
struct Describe {
  Describe(const char* id, json::object (*describe)()) { descriptions().push_back({id, describe}); }
};

inline const void* plugin_extension(const char* id) noexcept {
  static const gw_plugin_describe table{sizeof(gw_plugin_describe), 0, [](gw_view* out) {
                                          static const std::string units = [] {
                                            json::object all;
                                            for (const auto& unit : descriptions()) all[unit.id] = unit.describe();
                                            return json::serialize(all);
                                          }();
                                          *out = view(units);
                                        }};
  return std::string_view(id) == GW_EXT_DESCRIBE ? &table : nullptr;
}

}  // namespace detail
}  // namespace godwit

#define GODWIT_DETAIL_UNIT(Class, id, kind, run, describe)                                                      \
  extern const gw_unit gw_unit_##Class;                                                                         \
  const gw_unit gw_unit_##Class = {                                                                             \
      sizeof(gw_unit), kind, id, &::godwit::detail::open<Class>, &run<Class>, &::godwit::detail::close<Class>}; \
  static const ::godwit::detail::Describe gw_describe_##Class{id, &describe<Class>};

// class Class { json::value run(godwit::Call&, const json::object& input); };
// Input and result may be structs (godwit/typed.hpp). The constructor takes the operator's configuration, a `const
// json::object&` or a `const Config&` of a struct Class::Config, or nothing.
#define GODWIT_STAGE(Class, id) \
  GODWIT_DETAIL_UNIT(Class, id, GW_KIND_STAGE, ::godwit::detail::run_stage, ::godwit::detail::describe_stage)

// class Class { json::value call(godwit::Call&, std::string_view method, const json::object& args); };
// or, with godwit/typed.hpp, one described member function per method: Result search(godwit::Call&, const Args&).
#define GODWIT_PROVIDER(Class, id) \
  GODWIT_DETAIL_UNIT(Class, id, GW_KIND_PROVIDER, ::godwit::detail::run_provider, ::godwit::detail::describe_provider)

// Makes a unit of another source file, in the same namespace, known to the one with GODWIT_PLUGIN.
#define GODWIT_UNIT(Class) extern const gw_unit gw_unit_##Class;

// Once in a plugin: GODWIT_PLUGIN(&gw_unit_Rank, &gw_unit_Flights)
#define GODWIT_PLUGIN(...)                                                           \
  extern "C" GW_EXPORT const gw_plugin* godwit_plugin_v1(const gw_host*, gw_call*) { \
    static const gw_unit* const units[] = {__VA_ARGS__};                             \
    static const gw_plugin plugin = {sizeof(gw_plugin),                              \
                                     GW_ABI_MAJOR,                                   \
                                     GW_ABI_MINOR,                                   \
                                     sizeof units / sizeof units[0],                 \
                                     units,                                          \
                                     &::godwit::detail::plugin_extension};           \
    return &plugin;                                                                  \
  }
