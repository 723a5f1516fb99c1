#include "wire/script_messages.hpp"

#include <cstring>
#include <type_traits>

#include "base/json_text.hpp"

namespace godwit::wire {
namespace {

using namespace model::script;

class Writer {
 public:
  explicit Writer(std::string& bytes) : out_(bytes) {}
  template <typename... Fields>
  void all(const Fields&... fields) {
    (one(fields), ...);
  }

 private:
  template <typename Number>
  requires(std::is_arithmetic_v<Number> || std::is_enum_v<Number>) void one(const Number& value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void one(const std::string& value) {
    one(value.size());
    out_ += value;
  }
  void one(base::Duration value) { one(value.count()); }
  void one(base::Instant value) { one(base::to_microseconds(value)); }
  void one(const base::json::object& value) { one(base::serialize(value)); }
  template <typename Value>
  void one(const std::optional<Value>& value) {
    one(value.has_value());
    if (value) one(*value);
  }
  template <typename Value>
  void one(const std::vector<Value>& values) {
    one(values.size());
    for (const auto& value : values) one(value);
  }
  template <typename Value>
  requires std::is_class_v<Value>
  void one(const Value& value) { fields(*this, value); }

  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <typename... Fields>
  void all(Fields&... fields) {
    (one(fields), ...);
  }
  void end() const {
    if (!left_.empty()) malformed();
  }

 private:
  [[noreturn]] static void malformed() { throw base::refused("malformed message of a script"); }
  std::string_view take(std::size_t size) {
    if (size > left_.size()) malformed();
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  template <typename Number>
  requires(std::is_arithmetic_v<Number> || std::is_enum_v<Number>) void one(Number& value) {
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
  }
  void one(bool& value) { value = take(1)[0] != 0; }
  void one(std::string& value) {
    std::size_t size = 0;
    one(size);
    value = take(size);
  }
  void one(base::Duration& value) {
    base::Duration::rep count = 0;
    one(count);
    value = base::Duration(count);
  }
  void one(base::Instant& value) {
    std::int64_t count = 0;
    one(count);
    value = base::from_microseconds(count);
  }
  void one(base::json::object& value) {
    std::string text;
    one(text);
    auto parsed = base::parse_json(text);
    if (!parsed.is_object()) malformed();
    value = std::move(parsed.get_object());
  }
  template <typename Value>
  void one(std::optional<Value>& value) {
    bool has = false;
    one(has);
    if (has) one(value.emplace());
  }
  template <typename Value>
  void one(std::vector<Value>& values) {
    std::size_t size = 0;
    one(size);
    // Memory follows the bytes that are there, never a number that was claimed.
    for (std::size_t i = 0; i < size; ++i) {
      if (left_.empty()) malformed();
      one(values.emplace_back());
    }
  }
  template <typename Value>
  requires std::is_class_v<Value>
  void one(Value& value) { fields(*this, value); }

  std::string_view left_;
};

// The fields of each struct, for both directions.
template <typename Archive, typename Value>
void fields(Archive& archive, Value& value) {
  using Bare = std::remove_const_t<Value>;
  if constexpr (std::is_same_v<Bare, Budget>) {
    archive.all(value.memory, value.text, value.cpu, value.steps);
  } else if constexpr (std::is_same_v<Bare, RunFacts>) {
    archive.all(value.id, value.job, value.version, value.params, value.seed, value.submitted_at, value.ending,
                value.outcome);
  } else if constexpr (std::is_same_v<Bare, model::Failure>) {
    archive.all(value.code, value.message, value.retryable, value.retry_after);
  } else if constexpr (std::is_same_v<Bare, RecordedStep>) {
    archive.all(value.path, value.state, value.hash, value.output, value.failure, value.at, value.line);
  } else if constexpr (std::is_same_v<Bare, Outcome>) {
    archive.all(value.state, value.output, value.failure, value.at);
  } else if constexpr (std::is_same_v<Bare, Request>) {
    archive.all(value.number, value.path, value.kind, value.uses, value.hash, value.input, value.options, value.file,
                value.line);
  } else if constexpr (std::is_same_v<Bare, EmittedRow>) {
    archive.all(value.topic, value.row);
  } else if constexpr (std::is_same_v<Bare, Note>) {
    archive.all(value.path, value.hash, value.output, value.line, value.rows, value.folds, value.replaces, value.loop, value.from,
                value.to);
  } else if constexpr (std::is_same_v<Bare, model::script::Released>) {
    archive.all(value.path, value.name);
  } else if constexpr (std::is_same_v<Bare, LogLine>) {
    archive.all(value.level, value.text, value.fields);
  } else if constexpr (std::is_same_v<Bare, LoopProgress>) {
    archive.all(value.path, value.total, value.finished, value.failed);
  } else if constexpr (std::is_same_v<Bare, End>) {
    archive.all(value.kind, value.result, value.next_params, value.failure, value.path, value.recorded,
                value.requested);
  } else {
    static_assert(std::is_same_v<Bare, Output>);
    archive.all(value.notes, value.requests, value.cancelled, value.released, value.logs, value.progress, value.loops,
                value.end, value.more);
  }
}

template <typename Value>
std::string packed(const Value& value) {
  std::string bytes;
  Writer writer(bytes);
  writer.all(value);
  return bytes;
}
template <typename Value>
void unpacked(std::string_view bytes, Value& value) {
  Reader reader(bytes);
  reader.all(value);
  reader.end();
}

}  // namespace

std::string pack(const Budget& value) {
  return packed(value);
}
std::string pack(const RunFacts& value) {
  return packed(value);
}
std::string pack(const std::vector<RecordedStep>& value) {
  return packed(value);
}
std::string pack(const Outcome& value) {
  return packed(value);
}
std::string pack(const Output& value) {
  return packed(value);
}
void unpack(std::string_view bytes, Budget& value) {
  unpacked(bytes, value);
}
void unpack(std::string_view bytes, RunFacts& value) {
  unpacked(bytes, value);
}
void unpack(std::string_view bytes, std::vector<RecordedStep>& value) {
  unpacked(bytes, value);
}
void unpack(std::string_view bytes, Outcome& value) {
  unpacked(bytes, value);
}
void unpack(std::string_view bytes, Output& value) {
  unpacked(bytes, value);
}

void append_message(std::string& out, ScriptMessage type, std::uint64_t machine, std::uint32_t tag, std::uint8_t flags,
                    std::initializer_list<std::string_view> blobs) {
  append_message(out, static_cast<HostMessage>(type), machine, tag, flags, blobs);
}

}  // namespace godwit::wire
