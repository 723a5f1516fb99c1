#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::wire {

// What godwitd and its host processes exchange. A header of 24 bytes, little-endian, then JSON, then blobs:
//   u32 length of the whole frame | u16 type | u8 flags | u8 blobs | u64 call | u32 bytes of JSON | u32 tag | JSON | {
//   u32 length | bytes } * blobs
// Payloads of plugins are JSON text in blobs, so that neither side parses what it only passes on; the common messages
// have no JSON at all. `flags` and `tag` mean what the type says (host_messages.hpp). Base64 in JSON was rejected: it
// costs more than the whole rest of a call.
inline constexpr std::size_t kFrameHeaderSize = 24;
inline constexpr std::size_t kFrameSizeMax = 32u * 1024 * 1024;
inline constexpr std::size_t kFrameBlobsMax = 6;

// One frame. The views point into the text it was decoded from, or into what the sender has.
struct Frame {
  std::uint16_t type = 0;
  std::uint8_t flags = 0;
  std::uint64_t call = 0;
  std::uint32_t tag = 0;
  std::string_view json;
  std::array<std::string_view, kFrameBlobsMax> blobs{};
  std::uint8_t blob_count = 0;

  void set_blobs(std::initializer_list<std::string_view> values);
};

// Appends the encoded frame. Throws Error(refused) when it would be larger than kFrameSizeMax; `out` is unchanged then.
void append_frame(std::string& out, const Frame& frame);

// Cuts a stream of bytes into frames. Memory follows the bytes that arrived, never the length that a header claims.
class FrameReader {
 public:
  struct Space {
    char* data;
    std::size_t size;
  };
  // Room for the next bytes, at least `least`; invalidates earlier frames.
  Space space(std::size_t least = 16 * 1024);
  // So many bytes were written to space().
  void filled(std::size_t size) { end_ += size; }
  // The next whole frame, valid until the next call of space(). Throws Error(refused) on a malformed one: the stream is
  // then useless.
  std::optional<Frame> next();

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace godwit::wire
