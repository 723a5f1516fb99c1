#include "wire/frame.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "base/error.hpp"
#include "support/seed.hpp"
#include "wire/host_messages.hpp"

using namespace godwit;
using namespace godwit::wire;

namespace {

std::string sample() {
  std::string bytes;
  append(bytes, CallMessage{7, 2, 123456789, "timetable", "search", "12/search[3]", R"({"from":"JFK"})"});
  append(bytes, ResultMessage{7, HostStatus::ok, R"({"offers":[]})", {}, {}, -1});
  append_message(bytes, HostMessage::hello, 0, 0, 0, {}, R"({"protocol":1})");
  return bytes;
}

void feed(FrameReader& reader, std::string_view bytes) {
  const auto space = reader.space(bytes.size());
  if (!bytes.empty()) std::memcpy(space.data, bytes.data(), bytes.size());  // no bytes may mean no space
  reader.filled(bytes.size());
}

std::size_t count_frames(FrameReader& reader) {
  std::size_t count = 0;
  while (reader.next()) ++count;
  return count;
}

// A header with these numbers, and nothing behind it.
std::string header(std::uint32_t length, std::uint8_t blobs, std::uint32_t json) {
  std::string bytes(kFrameHeaderSize, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes[4] = 4;
  bytes[7] = static_cast<char>(blobs);
  std::memcpy(bytes.data() + 16, &json, sizeof json);
  return bytes;
}

void check_refused(const std::string& bytes) {
  FrameReader reader;
  feed(reader, bytes);
  CHECK_THROWS_AS(count_frames(reader), base::Error);
}

}  // namespace

TEST_CASE("a frame comes out as it went in") {
  FrameReader reader;
  feed(reader, sample());
  const CallMessage call = parse_call(*reader.next());
  CHECK(call.call == 7);
  CHECK(call.attempt == 2);
  CHECK(call.deadline_ns == 123456789);
  CHECK(call.unit == "timetable");
  CHECK(call.method == "search");
  CHECK(call.idempotency_key == "12/search[3]");
  CHECK(call.input == R"({"from":"JFK"})");
  const ResultMessage result = parse_result(*reader.next());
  CHECK(result.status == HostStatus::ok);
  CHECK(result.output == R"({"offers":[]})");
  CHECK(parse_object(*reader.next()).at("protocol") == 1);
  CHECK(!reader.next());
}

TEST_CASE("a stream cut at any byte gives the frames that are whole, and the rest when it comes") {
  const std::string bytes = sample();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameReader reader;
    feed(reader, bytes.substr(0, cut));
    const std::size_t before = count_frames(reader);
    feed(reader, bytes.substr(cut));
    REQUIRE(before + count_frames(reader) == 3);
  }
}

TEST_CASE("bytes one by one make the same frames, in little memory") {
  FrameReader reader;
  std::size_t frames = 0;
  for (int round = 0; round < 1000; ++round) {
    for (const char byte : sample()) {
      feed(reader, {&byte, 1});
      frames += count_frames(reader);
    }
  }
  CHECK(frames == 3000);
}

TEST_CASE("a frame whose numbers contradict each other is refused") {
  check_refused(header(0, 0, 0));
  check_refused(header(23, 0, 0));
  check_refused(header(24, 0, 1));
  check_refused(header(24, 1, 0));
  check_refused(header(24, 255, 0));
  check_refused(header(26, 0, 0) + "ab");
  check_refused(header(28, 1, 0) + std::string("\x05\0\0\0", 4));
  check_refused(header(28, 1, 0) + std::string("\xff\xff\xff\xff", 4));
  check_refused(header(30, 0, 0xffffffff) + "abcdef");
}

TEST_CASE("a length over the limit is refused before its bytes are there") {
  check_refused(header(kFrameSizeMax + 1, 0, 0));
  check_refused(header(0xffffffff, 0, 0));
  FrameReader reader;
  feed(reader, header(kFrameSizeMax, 0, 0));
  CHECK(!reader.next());
  CHECK(reader.space(1).size < 1024 * 1024);
}

TEST_CASE("a message over the limit is not encoded") {
  const std::string payload(kFrameSizeMax, 'x');
  std::string out = "before";
  CHECK_THROWS_AS(append(out, ResultMessage{1, HostStatus::ok, payload, {}, {}, -1}), base::Error);
  CHECK(out == "before");
}

TEST_CASE("the largest payload passes") {
  const std::string payload(kPayloadSizeMax, 'x');
  std::string out;
  append(out, ResultMessage{1, HostStatus::ok, payload, {}, {}, -1});
  FrameReader reader;
  for (std::size_t at = 0; at < out.size(); at += 100'000) feed(reader, std::string_view(out).substr(at, 100'000));
  CHECK(parse_result(*reader.next()).output.size() == kPayloadSizeMax);
  CHECK(reader.space(1).size < 2 * 1024 * 1024);  // the memory was given back
}

TEST_CASE("random bytes and random changes never get past the reader") {
  std::mt19937_64 random(support::seed());
  const std::string good = sample();
  std::size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    FrameReader reader;
    feed(reader, bytes);
    try {
      while (const auto frame = reader.next()) {
        REQUIRE(frame->json.size() + kFrameHeaderSize <= bytes.size());
        (void)parse_call(*frame);
      }
    } catch (const base::Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("a message with the wrong parts is refused") {
  std::string out;
  append_message(out, HostMessage::call, 1, 0, 0, {"a", "b"});
  append_message(out, HostMessage::result, 1, 0, 2, {"only a code"});
  append_message(out, HostMessage::call, 1, 0, 0, {"1234567", "u", "m", "k", "i"});
  append_message(out, HostMessage::progress, 1, 0, 0, {"x", "y", "z"});
  FrameReader reader;
  feed(reader, out);
  CHECK_THROWS_AS(parse_call(*reader.next()), base::Error);
  CHECK_THROWS_AS(parse_result(*reader.next()), base::Error);
  CHECK_THROWS_AS(parse_call(*reader.next()), base::Error);
  CHECK_THROWS_AS(parse_progress(*reader.next()), base::Error);
}
