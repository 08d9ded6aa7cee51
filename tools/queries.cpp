#include "tools/queries.h"

#include "ace/text.h"
#include "ace/tokenizer.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace tools {
namespace {

std::string text_of(std::string_view line, const std::string& origin) {
  const nlohmann::json object = tensor::parse_json(line, origin);
  tensor::check(object.is_object() && object.contains("text") && object["text"].is_string(),
                "{}: expected an object with \"text\", found {}", origin, ace::quote(line));
  return object["text"].get<std::string>();
}

}  // namespace

void check_query(std::string_view text, std::string_view origin) {
  tensor::check(ace::is_utf8(text), "{}: expected UTF-8, found {}", origin, ace::quote(text));
  tensor::check(ace::has_visible(ace::Tokenizer::prepare(text)),
                "{}: expected a query with a visible character, found {}", origin, ace::quote(text));
}

std::vector<std::string> read_queries(const std::filesystem::path& file) {
  const std::string whole = tensor::read_input(file, size_t(1) << 30);
  const bool json = file.extension() == ".jsonl";
  std::vector<std::string> queries;
  std::string_view rest = whole;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string origin = ace::escape(file.string()) + ":" + std::to_string(number);
    queries.push_back(json ? text_of(line, origin) : std::string(line));
    check_query(queries.back(), origin);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  tensor::check(!queries.empty(), "{}: expected queries, found an empty file", ace::quote(file.string()));
  return queries;
}

}  // namespace tools
