// Presage, asked over standard input: A and a text types it, P asks, L and a text teaches it. Each is a line, and gets a line: to P what is missing
// of each word, with tabs between.
#include <presage.h>

#include <iostream>
#include <string>

class Typed : public PresageCallback {
 public:
  std::string text;
  std::string get_past_stream() const override { return text; }
  std::string get_future_stream() const override { return ""; }
};

int main(int count, char** words) {
  Typed typed;
  Presage presage(&typed);
  presage.config("Presage.Selector.SUGGESTIONS", words[1]);
  for (int i = 2; i + 1 < count; i += 2) presage.config(words[i], words[i + 1]);
  for (std::string line; std::getline(std::cin, line);) {
    const std::string rest = line.substr(1);
    if (line[0] == 'A') typed.text += rest;
    if (line[0] == 'L') presage.learn(rest);
    std::string answer;
    if (line[0] == 'P')
      for (const std::string& word : presage.predict()) {
        const std::string prefix = presage.prefix();
        if (word.size() <= prefix.size()) continue;
        if (!answer.empty()) answer += '\t';
        answer += word.substr(prefix.size());
      }
    std::cout << answer << std::endl;
  }
}
