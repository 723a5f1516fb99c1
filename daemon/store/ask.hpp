#pragma once
#include <functional>
#include <memory>

#include "engine/answer.hpp"
#include "store/reader.hpp"

namespace godwit::store {

// Has the reader ask `query` and gives its value, or its error, to `answer` on the engine's thread.
template <typename T>
void ask(Reader& reader, std::function<T(Connection&)> query, engine::Answer<T> answer) {
  const auto shared = std::make_shared<engine::Answer<T>>(std::move(answer));
  reader.add({
      [shared, query = std::move(query)](Connection& connection) -> std::function<void()> {
        return [shared, value = std::make_shared<T>(query(connection))] { (*shared)(std::move(*value)); };
      },
      [shared](base::Error error) -> std::function<void()> {
        return [shared, error = std::move(error)] { (*shared)(error); };
      },
  });
}

}  // namespace godwit::store
