// Parameters and results as structs: BOOST_DESCRIBE_STRUCT makes them known, and from that come reading with errors
// that name the place, writing, and the JSON Schema in the manifest (godwit_add_plugin(... TYPED)).
//
//   struct Params {
//     std::vector<Offer> offers;
//     int keep = 10;                        // has a default: need not be given
//     std::optional<std::string> currency;  // may be absent or null
//   };
//   BOOST_DESCRIBE_STRUCT(Params, (), (offers, keep, currency))
//   inline void godwit_doc(godwit::Doc<Params>& doc) {        // optional, beside the struct
//     doc(&Params::keep, "How many offers are kept").minimum(1).maximum(1000);
//   }
//
// Members may be bool, numbers, std::string, described enums (their names) and structs, std::optional, std::vector,
// std::map<std::string, T>, json::value, json::object and json::array. A struct must not contain itself.
#pragma once
#include <godwit/sdk.hpp>

#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <regex>

namespace godwit {

namespace describe = boost::describe;

// What a member's type does not say; ends up in the schema, and is checked.
class Field {
 public:
  Field& minimum(double value) { return set("minimum", number(value)); }
  Field& maximum(double value) { return set("maximum", number(value)); }
  Field& pattern(std::string_view regex) { return set("pattern", json::string(regex.data(), regex.size())); }
  Field& min_length(std::size_t bytes) { return set("minLength", bytes); }
  Field& max_length(std::size_t bytes) { return set("maxLength", bytes); }
  Field& min_items(std::size_t count) { return set("minItems", count); }
  Field& max_items(std::size_t count) { return set("maxItems", count); }
  // For people and for the checker, which makes inputs from it.
  Field& example(const json::value& value) { return set("examples", json::array{value}); }
  // Need not be given although its default is an empty value.
  Field& optional() {
    optional_ = true;
    return *this;
  }
  const json::object& keywords() const { return keywords_; }
  bool is_optional() const { return optional_; }

  Field& set(const char* keyword, json::value value) {
    keywords_[keyword] = std::move(value);
    return *this;
  }

 private:
  // Whole numbers are written as such.
  static json::value number(double value) {
    if (std::floor(value) == value && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
    return value;
  }
  json::object keywords_;
  bool optional_ = false;
};

// What godwit_doc() says of the members of T.
template <typename T>
class Doc {
 public:
  void about(std::string_view text) { about_ = std::string(text); }
  template <typename M>
  Field& operator()(M T::*member, std::string_view description = {}) {
    Field& field = fields_[name_of(member)];
    if (!description.empty()) field.set("description", json::string(description.data(), description.size()));
    return field;
  }
  const std::string& about() const { return about_; }
  const Field& of(const char* member) const {
    static const Field kNone;
    const auto found = fields_.find(member);
    return found == fields_.end() ? kNone : found->second;
  }

 private:
  template <typename M>
  static const char* name_of(M T::*member) {
    const char* name = "";
    boost::mp11::mp_for_each<describe::describe_members<T, describe::mod_any_access | describe::mod_inherited>>(
        [&](auto d) {
          if constexpr (std::is_same_v<decltype(d.pointer), M T::*> ||
                        std::is_same_v<std::decay_t<decltype(d.pointer)>, M T::*>)
            if (d.pointer == member) name = d.name;
        });
    return name;
  }
  std::string about_;
  std::map<std::string, Field, std::less<>> fields_;
};

namespace detail {

template <typename T, typename = void>
struct HasDoc : std::false_type {};
template <typename T>
struct HasDoc<T, std::void_t<decltype(godwit_doc(std::declval<Doc<T>&>()))>> : std::true_type {};

template <typename T>
const Doc<T>& doc_of() {
  static const Doc<T> doc = [] {
    Doc<T> filled;
    if constexpr (HasDoc<T>::value) godwit_doc(filled);
    return filled;
  }();
  return doc;
}

// Everything that is wrong with an input, each with its place: "travelers[1].age must be at least 0".
class Problems {
 public:
  void add(const std::string& path, const std::string& what) {
    if (++count_ > 20) return;
    text_ += (text_.empty() ? "" : "; ") + (path.empty() ? "the input" : path) + " " + what;
  }
  void check() const {
    if (count_ == 0) return;
    fail("bad_input", text_ + (count_ > 20 ? "; and " + std::to_string(count_ - 20) + " more" : ""));
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

// `read(value, out, path, problems)` fills what it can.
template <typename T, typename = void>
struct Typed;

template <>
struct Typed<bool> {
  static void read(const json::value& value, bool& out, const std::string& path, Problems& problems) {
    value.is_bool() ? void(out = value.get_bool()) : problems.add(path, "must be true or false");
  }
  static json::value write(bool value) { return value; }
  static json::object schema() { return {{"type", "boolean"}}; }
};

template <typename T>
struct Typed<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static void read(const json::value& value, T& out, const std::string& path, Problems& problems) {
    boost::system::error_code error;
    const T number = value.is_number() ? value.to_number<T>(error) : T();
    if (!value.is_number() || error) return problems.add(path, "must be a whole number that fits");
    out = number;
  }
  static json::value write(T value) { return value; }
  static json::object schema() {
    json::object result{{"type", "integer"}};
    if (std::is_unsigned_v<T> || sizeof(T) < 8) result["minimum"] = std::numeric_limits<T>::min();
    if (sizeof(T) < 8) result["maximum"] = std::numeric_limits<T>::max();
    return result;
  }
};

template <typename T>
struct Typed<T, std::enable_if_t<std::is_floating_point_v<T>>> {
  static void read(const json::value& value, T& out, const std::string& path, Problems& problems) {
    value.is_number() ? void(out = value.to_number<T>()) : problems.add(path, "must be a number");
  }
  static json::value write(T value) { return std::isfinite(value) ? json::value(double(value)) : json::value(nullptr); }
  static json::object schema() { return {{"type", "number"}}; }
};

template <>
struct Typed<std::string> {
  static void read(const json::value& value, std::string& out, const std::string& path, Problems& problems) {
    value.is_string() ? void(out.assign(value.get_string().data(), value.get_string().size()))
                      : problems.add(path, "must be a string");
  }
  static json::value write(const std::string& value) { return json::string(value); }
  static json::object schema() { return {{"type", "string"}}; }
};

template <typename T>
struct Typed<T, std::enable_if_t<std::is_same_v<T, json::value> || std::is_same_v<T, json::object> ||
                                 std::is_same_v<T, json::array>>> {
  static void read(const json::value& value, T& out, const std::string& path, Problems& problems) {
    if constexpr (std::is_same_v<T, json::value>) {
      out = value;
    } else if constexpr (std::is_same_v<T, json::object>) {
      value.is_object() ? void(out = value.get_object()) : problems.add(path, "must be an object");
    } else {
      value.is_array() ? void(out = value.get_array()) : problems.add(path, "must be a list");
    }
  }
  static json::value write(const T& value) { return value; }
  static json::object schema() {
    if constexpr (std::is_same_v<T, json::value>) return {};
    return {{"type", std::is_same_v<T, json::object> ? "object" : "array"}};
  }
};

template <typename T>
struct Typed<T, std::enable_if_t<describe::has_describe_enumerators<T>::value>> {
  using All = describe::describe_enumerators<T>;
  static void read(const json::value& value, T& out, const std::string& path, Problems& problems) {
    bool found = false;
    std::string names;
    boost::mp11::mp_for_each<All>([&](auto d) {
      names += std::string(names.empty() ? "" : ", ") + d.name;
      if (!value.is_string() || value.get_string() != json::string_view(d.name)) return;
      out = d.value;
      found = true;
    });
    if (!found) problems.add(path, "must be one of " + names);
  }
  static json::value write(T value) {
    json::value name;
    boost::mp11::mp_for_each<All>([&](auto d) {
      if (d.value == value) name = d.name;
    });
    return name;
  }
  static json::object schema() {
    json::array names;
    boost::mp11::mp_for_each<All>([&](auto d) { names.emplace_back(d.name); });
    return {{"enum", names}};
  }
};

template <typename T>
struct Typed<std::vector<T>> {
  static void read(const json::value& value, std::vector<T>& out, const std::string& path, Problems& problems) {
    if (!value.is_array()) return problems.add(path, "must be a list");
    out.clear();
    std::size_t index = 0;
    for (const auto& item : value.get_array()) {
      T read_item{};
      Typed<T>::read(item, read_item, path + "[" + std::to_string(index++) + "]", problems);
      out.push_back(std::move(read_item));
    }
  }
  static json::value write(const std::vector<T>& value) {
    json::array list;
    for (const auto& item : value) list.push_back(Typed<T>::write(item));
    return list;
  }
  static json::object schema() { return {{"type", "array"}, {"items", Typed<T>::schema()}}; }
};

template <typename T>
struct Typed<std::map<std::string, T>> {
  static void read(const json::value& value, std::map<std::string, T>& out, const std::string& path,
                   Problems& problems) {
    if (!value.is_object()) return problems.add(path, "must be an object");
    out.clear();
    for (const auto& member : value.get_object()) {
      const std::string key(member.key());
      Typed<T>::read(member.value(), out[key], path.empty() ? key : path + "." + key, problems);
    }
  }
  static json::value write(const std::map<std::string, T>& value) {
    json::object object;
    for (const auto& [key, item] : value) object[key] = Typed<T>::write(item);
    return object;
  }
  static json::object schema() { return {{"type", "object"}, {"additionalProperties", Typed<T>::schema()}}; }
};

template <typename T>
struct Typed<std::optional<T>> {
  static void read(const json::value& value, std::optional<T>& out, const std::string& path, Problems& problems) {
    out.reset();
    if (value.is_null()) return;
    Typed<T>::read(value, out.emplace(), path, problems);
  }
  static json::value write(const std::optional<T>& value) {
    return value ? Typed<T>::write(*value) : json::value(nullptr);
  }
  static json::object schema() {
    json::object schema = Typed<T>::schema();
    if (json::value* type = schema.if_contains("type"); type && type->is_string()) *type = json::array{*type, "null"};
    if (json::value* names = schema.if_contains("enum")) names->as_array().push_back(nullptr);
    return schema;
  }
};

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Holds a value against the keywords of a Field.
inline void check_field(const Field& field, const json::value& value, const std::string& path, Problems& problems) {
  for (const auto& member : field.keywords()) {
    const json::string_view key = member.key();
    const json::value& limit = member.value();
    if (value.is_number() && key == "minimum" && value.to_number<double>() < limit.to_number<double>())
      problems.add(path, "must be at least " + json::serialize(limit));
    if (value.is_number() && key == "maximum" && value.to_number<double>() > limit.to_number<double>())
      problems.add(path, "must be at most " + json::serialize(limit));
    const json::string* text = value.if_string();
    if (text && key == "minLength" && text->size() < limit.to_number<std::size_t>())
      problems.add(path, "must have at least " + json::serialize(limit) + " bytes");
    if (text && key == "maxLength" && text->size() > limit.to_number<std::size_t>())
      problems.add(path, "must have at most " + json::serialize(limit) + " bytes");
    if (text && key == "pattern" && text->size() <= 2048 &&
        !std::regex_search(std::string(*text), std::regex(std::string(limit.as_string()))))
      problems.add(path, "must match " + std::string(limit.as_string()));
    const json::array* list = value.if_array();
    if (list && key == "minItems" && list->size() < limit.to_number<std::size_t>())
      problems.add(path, "must have at least " + json::serialize(limit) + " items");
    if (list && key == "maxItems" && list->size() > limit.to_number<std::size_t>())
      problems.add(path, "must have at most " + json::serialize(limit) + " items");
  }
}

template <typename T>
struct Typed<T, std::enable_if_t<describe::has_describe_members<T>::value && !std::is_union_v<T>>> {
  using All = describe::describe_members<T, describe::mod_public | describe::mod_inherited>;

  template <typename M>
  static bool is_required(const char* name, const M& standard) {
    if (IsOptional<M>::value || doc_of<T>().of(name).is_optional()) return false;
    return Typed<M>::write(standard) == Typed<M>::write(M{});
  }

  static void read(const json::value& value, T& out, const std::string& path, Problems& problems) {
    if (!value.is_object()) return problems.add(path, "must be an object");
    const json::object& object = value.get_object();
    std::size_t known = 0;
    boost::mp11::mp_for_each<All>([&](auto d) {
      using M = std::decay_t<decltype(out.*d.pointer)>;
      const std::string here = path.empty() ? d.name : path + "." + d.name;
      const json::value* member = object.if_contains(d.name);
      if (!member) {
        if (is_required<M>(d.name, T{}.*d.pointer)) problems.add(here, "is missing");
        return;
      }
      ++known;
      check_field(doc_of<T>().of(d.name), *member, here, problems);
      Typed<M>::read(*member, out.*d.pointer, here, problems);
    });
    if (known != object.size()) find_unknown(object, path, problems);
  }

  static json::value write(const T& value) {
    json::object object;
    boost::mp11::mp_for_each<All>(
        [&](auto d) { object[d.name] = Typed<std::decay_t<decltype(value.*d.pointer)>>::write(value.*d.pointer); });
    return object;
  }

  static json::object schema() {
    json::object properties;
    json::array required;
    const T standard{};
    boost::mp11::mp_for_each<All>([&](auto d) {
      using M = std::decay_t<decltype(standard.*d.pointer)>;
      json::object property = Typed<M>::schema();
      for (const auto& keyword : doc_of<T>().of(d.name).keywords()) property[keyword.key()] = keyword.value();
      if (is_required<M>(d.name, standard.*d.pointer)) {
        required.emplace_back(d.name);
      } else if (!IsOptional<M>::value) {
        property["default"] = Typed<M>::write(standard.*d.pointer);
      }
      properties[d.name] = std::move(property);
    });
    json::object schema{{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    if (!doc_of<T>().about().empty()) schema["description"] = doc_of<T>().about();
    return schema;
  }

 private:
  static void find_unknown(const json::object& object, const std::string& path, Problems& problems) {
    for (const auto& member : object) {
      bool found = false;
      boost::mp11::mp_for_each<All>([&](auto d) { found = found || member.key() == json::string_view(d.name); });
      if (!found)
        problems.add(path.empty() ? std::string(member.key()) : path + "." + std::string(member.key()),
                     "is not known here");
    }
  }
};

}  // namespace detail

// Described structs are parameters, results and configurations.
template <typename T>
struct Codec<T, std::enable_if_t<describe::has_describe_members<T>::value && !std::is_union_v<T>>> {
  static T from(const json::value& value) {
    T out{};
    detail::Problems problems;
    detail::Typed<T>::read(value, out, {}, problems);
    problems.check();
    return out;
  }
  static json::value to(const T& value) { return detail::Typed<T>::write(value); }
  static json::object schema() { return detail::Typed<T>::schema(); }
};
template <typename T>
struct Codec<std::vector<T>> {
  static json::value to(const std::vector<T>& value) { return detail::Typed<std::vector<T>>::write(value); }
  static json::object schema() { return detail::Typed<std::vector<T>>::schema(); }
};

namespace detail {

// A provider whose public member functions are described: each is the method of its name.
//   BOOST_DESCRIBE_CLASS(Flights, (), (search, status), (), ())
template <typename T>
using DescribedFunctions = describe::describe_members<T, describe::mod_public | describe::mod_function>;

template <typename T>
struct Methods<T, std::enable_if_t<describe::has_describe_members<T>::value>> {
  static json::value call(T& object, Call& call, std::string_view method, const json::value& input) {
    json::value result;
    bool found = false;
    boost::mp11::mp_for_each<DescribedFunctions<T>>([&](auto d) {
      if (found || method != d.name) return;
      found = true;
      result = call_typed<decltype(d)::pointer>(object, call, input);
    });
    if (!found) fail("no_method", "there is no method \"" + std::string(method) + "\"");
    return result;
  }
  static json::object describe() {
    json::object methods;
    boost::mp11::mp_for_each<DescribedFunctions<T>>(
        [&](auto d) { methods[d.name] = describe_function<std::decay_t<decltype(decltype(d)::pointer)>>(); });
    return methods;
  }
};

}  // namespace detail
}  // namespace godwit
