#pragma once
#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "egress/request.hpp"
#include "wire/host_messages.hpp"

namespace godwit::egress {

// One request of a plugin on its way: a libcurl transfer, followed by others when it is redirected.
class Exchange {
 public:
  struct Answer {
    wire::HostStatus status = wire::HostStatus::failed;
    std::string value;  // JSON
    std::string body;
  };

  // Throws base::Error: refused for a request that is wrong, denied for a host that is not allowed.
  Exchange(std::uint64_t number, std::string_view request, std::string body, HostRules rules);

  std::uint64_t number() const { return number_; }
  CURL* handle() const { return handle_.get(); }
  // After the transfer: true when another one is to be made with the same handle.
  bool follow(CURLcode code);
  Answer answer(CURLcode code);
  static Answer answer(const base::Error& error);

 private:
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self);
  void check_target(const std::string& url);
  void set_up();
  void set_method();
  Answer transfer_failed(CURLcode code) const;

  std::uint64_t number_;
  Request request_;
  std::string body_;
  HostRules rules_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_{nullptr, curl_slist_free_all};
  base::json::object answer_headers_;
  std::string answer_body_;
  std::string target_host_;
  std::string denied_;  // why a redirect is not followed
  bool too_big_ = false;
  int redirects_ = 0;
  char details_[CURL_ERROR_SIZE] = "";
};

}  // namespace godwit::egress
