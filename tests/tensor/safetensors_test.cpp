#include "tensor/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tests/files.h"

namespace tensor {
namespace {

std::string file(const std::string& header, const std::string& data = "") {
  std::string result;
  for (int i = 0; i < 8; ++i) result += char(uint64_t(header.size()) >> 8 * i);
  return result + header + data;
}

std::string object(std::initializer_list<std::string> members) {
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape, const std::string& at) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, type, shape, at);
}

class SafetensorsTest : public testing::Test {
 protected:
  Safetensors read(const std::string& bytes) {
    put(path(), bytes);
    return read_safetensors(path());
  }
  std::string fault(const std::string& bytes) {
    const std::string message = message_of([&] { read(bytes); }), name = path().string() + ": ";
    EXPECT_TRUE(message.starts_with(name)) << "\"" << message << "\"";
    return message.substr(std::min(name.size(), message.size()));
  }
  std::filesystem::path path() const { return folder_ / "x.safetensors"; }

 private:
  TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, WritesTheKnownBytes) {
  const std::map<std::string, Tensor> tensors = {{"b", Tensor::of<float>({2}, {1, 2})},
                                                 {"a", Tensor::of<uint8_t>({1, 3}, {7, 8, 9})}};
  std::string expected = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[1,3],"data_offsets":[0,3]},)"
                         R"("b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}})";
  expected.resize((expected.size() + 7) / 8 * 8, ' ');
  expected = file(expected, std::string("\7\10\11\0\0\x80\x3f\0\0\0\x40", 11));
  EXPECT_EQ(safetensors_bytes(tensors, {{"format", "pt"}}), expected);
  write_safetensors(path(), tensors, {{"format", "pt"}});
  EXPECT_EQ(get(path()), expected);
}

TEST_F(SafetensorsTest, ReadsWhatItWrites) {
  std::map<std::string, Tensor> tensors;
  for (const DType type : {DType::u8, DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64}) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 5}, Shape{0, 4}}) {  // odd sizes: later data is not aligned
      tensors[fmt::format("{} {}", shape, name_of(type))] = full(shape, type, 3);
    }
  }
  const Safetensors found = read(safetensors_bytes(tensors, {{"quote \" and\nline", "ü"}}));
  ASSERT_EQ(found.tensors.size(), tensors.size());
  EXPECT_EQ(found.metadata.at("quote \" and\nline"), "ü");
  for (const auto& [name, x] : tensors) {
    const Tensor& y = found.at(name, x.shape());
    EXPECT_EQ(y.dtype(), x.dtype()) << name;
    EXPECT_EQ(std::memcmp(x.raw(), y.raw(), size_t(x.bytes())), 0) << name;
  }
  EXPECT_TRUE(read(safetensors_bytes({})).tensors.empty());
}

TEST_F(SafetensorsTest, NamesFileAndTensorWhenOneIsMissingOrOfAnotherShape) {
  const Safetensors found = read(safetensors_bytes({{"w", zeros({2, 3}, DType::f32)}}));
  EXPECT_EQ(message_of([&] { found.at("v"); }), path().string() + ": tensor \"v\" is missing");
  EXPECT_EQ(message_of([&] {
              found.at("w", {3, 2});
            }),
            path().string() + ": tensor \"w\": expected [3, 2], found [2, 3]");
}

TEST_F(SafetensorsTest, OtherTypesAreRefusedByName) {
  EXPECT_EQ(fault(file(object({entry("w", "F8_E4M3", "[1]", "[0,1]")}), "x")),
            "tensor \"w\": expected dtype F32, F64, F16, BF16, I32, I64 or U8, found F8_E4M3");
}

TEST_F(SafetensorsTest, TensorsMustCoverTheDataExactly) {
  const std::string a = entry("a", "U8", "[2]", "[0,2]"), b = entry("b", "U8", "[2]", "[2,4]");
  EXPECT_EQ(read(file(object({b, a}), "xxyy")).tensors.size(), 2u);
  EXPECT_EQ(fault(file(object({a, b}), "xxy")), "tensor \"b\" ends at byte 4 of 3: the file is cut off");
  EXPECT_EQ(fault(file(object({a, b}), "xxyyz")), "expected 4 bytes of data, found 5");
  EXPECT_EQ(fault(file(object({b}), "xxyy")), "tensor \"b\": 2 unused bytes before it");
  EXPECT_EQ(fault(file(object({a, entry("c", "U8", "[2]", "[1,3]")}), "xxy")), "tensor \"c\" overlaps another");
  EXPECT_EQ(fault(file(object({a, entry("c", "U8", "[2]", "[0,2]")}), "xx")), "tensor \"c\" overlaps another");
}

TEST_F(SafetensorsTest, OffsetsMustMatchShapeAndType) {
  EXPECT_EQ(fault(file(object({entry("w", "F32", "[2,3]", "[0,23]")}), std::string(23, 'x'))),
            "tensor \"w\": expected 24 bytes for float32 [2, 3], found 23");
  EXPECT_EQ(fault(file(object({entry("w", "U8", "[2]", "[2,0]")}), "xx")),
            "tensor \"w\": expected data_offsets [begin, end]");
  EXPECT_EQ(fault(file(object({entry("w", "F64", "[4294967296,4294967296]", "[0,0]")}))),
            "tensor \"w\": shape: [4294967296, 4294967296] is too large");
  EXPECT_EQ(fault(file(object({entry("w", "F64", "[2305843009213693952]", "[0,0]")}))),
            "tensor \"w\": float64 [2305843009213693952] is too large");
  EXPECT_EQ(fault(file(object({entry("w", "U8", "[-1]", "[0,1]")}), "x")),
            "tensor \"w\": expected non-negative integers in \"shape\"");
  EXPECT_EQ(fault(file(object({entry("w", "U8", "[18446744073709551615]", "[0,1]")}), "x")),
            "tensor \"w\": expected non-negative integers in \"shape\"");
  EXPECT_EQ(fault(file(object({entry("w", "U8", "[1,1,1,1,1,1,1]", "[0,1]")}), "x")),
            "tensor \"w\": shape: expected at most 6 dimensions, found 7");
}

TEST_F(SafetensorsTest, KeysAppearOnce) {
  const std::string a = entry("a", "U8", "[1]", "[0,1]"), again = entry("a", "U8", "[1]", "[1,2]");
  EXPECT_EQ(fault(file(object({a, again}), "xy")), "key \"a\" appears twice");
  EXPECT_EQ(fault(file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x")),
            "key \"dtype\" appears twice");
}

TEST_F(SafetensorsTest, HeadersThatAreNotWhatTheyShouldBeFailWithOneLine) {
  EXPECT_EQ(fault(""), "not a .safetensors file: expected at least 8 bytes, found 0");
  EXPECT_EQ(fault(std::string(8, '\0')), "not a .safetensors file: its header is not a JSON object");
  EXPECT_EQ(fault(std::string("\x09\0\0\0\0\0\0\0{}", 10)), "expected a header of 9 bytes, found 2");
  EXPECT_EQ(fault(std::string(8, '\xff') + "{}"),
            "expected a header of at most 104857600 bytes, found 18446744073709551615");
  const std::string depth = "expected JSON at most 3 levels deep";
  EXPECT_EQ(fault(file("{\"a\":" + std::string(1'000'000, '['))), depth);
  const char* const bad[] = {"{",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1}",
                             "{\"a\":null}",
                             "{\"a\":[]}",
                             "{\"a\":{}}",
                             "{\"a\":{\"dtype\":1}}",
                             "{\"a\":{\"dtype\":\"U8\",\"shape\":3}}",
                             "{}x",
                             "{\"\xff\":1}",
                             "{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}",
                             "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}",
                             "{\"__metadata__\":1}",
                             "{\"__metadata__\":{\"a\":1}}",
                             "{\"a\":1e999}"};
  for (const char* text : bad) EXPECT_NE(fault(file(text, "x")), "") << text;
}

TEST_F(SafetensorsTest, JsonErrorsNameTheColumn) {
  const std::string message = fault(file("{\"a\":x}"));
  EXPECT_TRUE(message.starts_with("column 6: syntax error")) << message;
}

TEST_F(SafetensorsTest, CutOffAnywhereFails) {
  const std::string good = safetensors_bytes({{"a", zeros({3}, DType::f32)}, {"b", zeros({2}, DType::i64)}});
  for (size_t size = 0; size < good.size(); ++size) EXPECT_NE(fault(good.substr(0, size)), "") << size;
}

TEST_F(SafetensorsTest, DamagedBytesNeverDoMoreThanFail) {
  const std::string good = safetensors_bytes({{"a", zeros({3}, DType::f32)}, {"b", zeros({2}, DType::i64)}});
  std::mt19937 random(4);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 1 + i % 3; ++k) bytes[random() % (good.size() - 28)] = char(random());
    message_of([&] {
      for (const auto& [name, x] : read(bytes).tensors) EXPECT_LE(x.bytes(), int64_t(good.size()));
    });
  }
}

TEST_F(SafetensorsTest, NamesThatCannotBeWrittenAreRefused) {
  EXPECT_TRUE(fails_with("no tensor can have the name \"__metadata__\"", [] {
    safetensors_bytes({{"__metadata__", zeros({1}, DType::u8)}});
  }));
  EXPECT_TRUE(fails_with("safetensors: \"\\xff\" is not UTF-8", [] {
    safetensors_bytes({{"\xff", zeros({1}, DType::u8)}});
  }));
}

}  // namespace
}  // namespace tensor
