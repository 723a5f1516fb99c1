#pragma once
#include <memory>
#include <string>

#include "cli/client.hpp"
#include "cli/command_line.hpp"

namespace godwit::cli {

// One call of the program: what was typed, the daemon it speaks to, and how it prints.
class Session {
 public:
  explicit Session(CommandLine given);

  const CommandLine line;
  const bool json;
  const bool quiet;
  const std::size_t width;       // of the terminal behind standard output; 0 when it is a pipe or a file
  const std::size_t tell_width;  // the same of standard error
  const bool color;

  // Connects at the first use, and at the first after disconnect().
  Client& client();
  void disconnect() { client_.reset(); }
  base::json::value call(std::string_view method, base::json::object params = {});

  // To standard output, as it is.
  void print(std::string_view text) const;
  // What is said on the way to the result, for a person who watches: on standard error, so that the result can go
  // elsewhere.
  void tell(std::string_view text) const;
  // To standard output, with a line feed.
  void print_json(const base::json::value& value) const;
  // To standard error: "godwit: " and the text.
  void note(std::string_view text) const;
  // The name of a state in its colour.
  std::string paint(const std::string& state) const;

 private:
  std::unique_ptr<Client> client_;
};

// The program: parses, runs the command, prints what goes wrong, gives the exit code.
int run_program(const std::vector<std::string>& words);

}  // namespace godwit::cli
