#pragma once
#include <godwit/sdk.hpp>
#include <string>

namespace core {

namespace json = godwit::json;

// A wrong argument ends the call: it would be wrong again.
[[noreturn]] inline void refuse(std::string_view key, std::string_view what) {
  godwit::fail("bad_input", std::string(key) + " " + std::string(what));
}

inline std::string text(const json::object& args, std::string_view key, std::string otherwise = {}) {
  const json::value* value = args.if_contains(key);
  if (!value) return otherwise;
  if (!value->is_string()) refuse(key, "must be a string");
  return std::string(value->get_string());
}

inline bool flag(const json::object& args, std::string_view key, bool otherwise) {
  const json::value* value = args.if_contains(key);
  if (!value) return otherwise;
  if (!value->is_bool()) refuse(key, "must be true or false");
  return value->get_bool();
}

inline double number(const json::object& args, std::string_view key, double least, double most, double otherwise) {
  const json::value* value = args.if_contains(key);
  if (!value) return otherwise;
  if (!value->is_number()) refuse(key, "must be a number");
  const double result = value->to_number<double>();
  if (!(result >= least && result <= most))
    refuse(key, "must be from " + std::to_string(least) + " to " + std::to_string(most));
  return result;
}

inline json::object object(const json::object& args, std::string_view key) {
  const json::value* value = args.if_contains(key);
  if (!value) return {};
  if (!value->is_object()) refuse(key, "must be an object");
  return value->get_object();
}

// A member of an object whose members are all strings, as the ones of `headers`.
inline std::string member_text(std::string_view key, const json::key_value_pair& member) {
  if (!member.value().is_string()) refuse(std::string(key) + "." + std::string(member.key()), "must be a string");
  return std::string(member.value().get_string());
}

// Well-formed JSON strings cannot hold arbitrary bytes: what is no UTF-8 becomes U+FFFD.
std::string as_utf8(std::string_view bytes);

}  // namespace core
