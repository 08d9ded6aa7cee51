#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ace {

/// One result of a query, for a run file.
struct TrecResult {
  std::string_view item;
  double score = 0;
};

/// The lines of one query in a TREC run file, results best first:
///   query-id Q0 item-id rank score tag
/// trec_eval ignores the rank, reads scores as f32 and breaks ties its own way; so scores are written as f32, and one
/// that is not below its predecessor's becomes the next f32 below that: the file ranks as given. Ids and tag are
/// written by trec_id. Fails on a score that is not finite, or that is above the one before it.
std::string trec_lines(std::string_view query, std::span<const TrecResult> results, std::string_view tag = "ace");

/// An id as one word, since columns are parted by white space: white space and control characters are percent-encoded
/// byte by byte (`a b.wav` → `a%20b.wav`), and so is a `%` before two hexadecimal digits, so that no two ids become
/// one. Other ids stay as they are. Judgements for trec_eval must be written the same way. An empty id fails.
std::string trec_id(std::string_view id);

}  // namespace ace
