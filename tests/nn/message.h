#pragma once
#include <exception>
#include <string>

/// What `call` fails with, or nothing.
template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}
