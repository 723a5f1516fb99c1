#pragma once
#include <functional>
#include <optional>
#include <utility>

#include "base/error.hpp"

namespace godwit::engine {

// What an asynchronous call gives in the end: a value, or the error that kept it from one.
template <typename T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}            // NOLINT: a value is a result
  Result(base::Error error) : error_(std::move(error)) {}  // NOLINT: so is an error
  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  const base::Error& error() const { return *error_; }

 private:
  std::optional<T> value_;
  std::optional<base::Error> error_;
};

struct Nothing {};

// Called once, on the engine's thread, never from inside the call that took it.
template <typename T>
using Answer = std::function<void(Result<T>)>;

}  // namespace godwit::engine
