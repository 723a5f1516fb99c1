#include "wire/frame.hpp"

#include <endian.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace godwit::wire {
namespace {

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "the numbers of a frame are copied as they lie in memory");

// Above this an empty buffer is given back, so that one large payload does not hold memory for ever.
constexpr std::size_t kIdleCapacityMax = 1024 * 1024;

template <typename Number>
Number load(const char* from) {
  Number value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename Number>
char* store(char* to, Number value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

char* store(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

base::Error malformed(const std::string& what) {
  return base::refused("malformed frame: " + what);
}

// Splits the body of a frame whose header was checked.
void split_body(Frame& frame, std::string_view body, std::size_t json_size) {
  if (json_size > body.size()) throw malformed("its JSON is longer than the frame");
  frame.json = body.substr(0, json_size);
  body.remove_prefix(json_size);
  for (std::size_t i = 0; i < frame.blob_count; ++i) {
    if (body.size() < sizeof(std::uint32_t)) throw malformed("it ends inside the length of a blob");
    const std::size_t size = load<std::uint32_t>(body.data());
    body.remove_prefix(sizeof(std::uint32_t));
    if (size > body.size()) throw malformed("a blob is longer than the frame");
    frame.blobs[i] = body.substr(0, size);
    body.remove_prefix(size);
  }
  if (!body.empty()) throw malformed("bytes are left after the last blob");
}

}  // namespace

void Frame::set_blobs(std::initializer_list<std::string_view> values) {
  blob_count = static_cast<std::uint8_t>(values.size());
  std::copy(values.begin(), values.end(), blobs.begin());
}

void append_frame(std::string& out, const Frame& frame) {
  std::size_t size = kFrameHeaderSize + frame.json.size();
  for (std::size_t i = 0; i < frame.blob_count; ++i) size += sizeof(std::uint32_t) + frame.blobs[i].size();
  if (size > kFrameSizeMax)
    throw base::refused("a message of " + std::to_string(size) + " bytes is larger than the limit of " +
                        std::to_string(kFrameSizeMax));
  const std::size_t start = out.size();
  out.resize(start + size);
  char* to = out.data() + start;
  to = store(to, static_cast<std::uint32_t>(size));
  to = store(to, frame.type);
  to = store(to, frame.flags);
  to = store(to, frame.blob_count);
  to = store(to, frame.call);
  to = store(to, static_cast<std::uint32_t>(frame.json.size()));
  to = store(to, frame.tag);
  to = store(to, frame.json);
  for (std::size_t i = 0; i < frame.blob_count; ++i) {
    to = store(to, static_cast<std::uint32_t>(frame.blobs[i].size()));
    to = store(to, frame.blobs[i]);
  }
}

FrameReader::Space FrameReader::space(std::size_t least) {
  const std::size_t used = end_ - begin_;
  if (used == 0) {
    begin_ = end_ = 0;
    if (capacity_ > kIdleCapacityMax) {
      data_.reset();
      capacity_ = 0;
    }
  }
  if (capacity_ - end_ < least) {
    if (capacity_ - used >= least && begin_ >= used) {
      std::memcpy(data_.get(), data_.get() + begin_, used);
    } else {
      const std::size_t capacity = std::max(used + least, 2 * used);
      auto data = std::make_unique_for_overwrite<char[]>(capacity);
      if (used > 0) std::memcpy(data.get(), data_.get() + begin_, used);
      data_ = std::move(data);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }
  return {data_.get() + end_, capacity_ - end_};
}

std::optional<Frame> FrameReader::next() {
  const std::size_t used = end_ - begin_;
  if (used < sizeof(std::uint32_t)) return std::nullopt;
  const char* start = data_.get() + begin_;
  const std::size_t size = load<std::uint32_t>(start);
  if (size < kFrameHeaderSize)
    throw malformed("a length of " + std::to_string(size) + " bytes is less than the header's");
  if (size > kFrameSizeMax)
    throw malformed("a length of " + std::to_string(size) + " bytes is over the limit of " +
                    std::to_string(kFrameSizeMax));
  if (used < size) return std::nullopt;
  Frame frame;
  frame.type = load<std::uint16_t>(start + 4);
  frame.flags = load<std::uint8_t>(start + 6);
  frame.blob_count = load<std::uint8_t>(start + 7);
  frame.call = load<std::uint64_t>(start + 8);
  frame.tag = load<std::uint32_t>(start + 20);
  if (frame.blob_count > kFrameBlobsMax) throw malformed("it has " + std::to_string(frame.blob_count) + " blobs");
  split_body(frame, {start + kFrameHeaderSize, size - kFrameHeaderSize}, load<std::uint32_t>(start + 16));
  begin_ += size;
  return frame;
}

}  // namespace godwit::wire
