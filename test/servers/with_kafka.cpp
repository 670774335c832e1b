/// with_kafka [--nodes N] COMMAND...: runs a command while a Kafka is there, with its addresses in the place of each
/// argument {}; its status is the command's.
#include "servers/kafka.hpp"

#include <iostream>

int main(int argc, char** argv) {
  std::vector<std::string> command(argv + 1, argv + argc);
  int nodes = 1;
  if (command.size() > 2 && command[0] == "--nodes") {
    nodes = std::stoi(command[1]);
    command.erase(command.begin(), command.begin() + 2);
  }
  if (command.empty()) {
    std::cerr << "with_kafka [--nodes N] COMMAND...\n";
    return 2;
  }
  try {
    servers::kafka const broker{nodes};
    for (auto& c : command)
      if (c == "{}") c = broker.bootstrap();
    auto const pid = ::fork();
    if (pid == 0) {
      std::vector<char*> arguments;
      for (auto& c : command) arguments.push_back(c.data());
      arguments.push_back(nullptr);
      ::execvp(arguments[0], arguments.data());
      std::cerr << "can't run " << command[0] << '\n';
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  } catch (std::exception const& e) {
    std::cerr << "with_kafka: " << e.what() << '\n';
    return 125;
  }
}
