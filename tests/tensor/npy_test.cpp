#include "tensor/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tensor/file.h"
#include "tests/files.h"

namespace tensor {
namespace {

/// A file of format 1.0 with any header and data.
std::string npy(const std::string& header, const std::string& data = "", const std::string& version = {1, 0}) {
  std::string result = "\x93NUMPY" + version;
  for (int i = 0; i < (version[0] == 1 ? 2 : 4); ++i) result += char(header.size() >> 8 * i);
  return result + header + data;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

class Npy : public testing::Test {
 protected:
  Tensor read(const std::string& bytes) {
    put(path(), bytes);
    return read_npy(path());
  }
  /// What reading these bytes fails with, after the file's name.
  std::string fault(const std::string& bytes) {
    const std::string message = message_of([&] { read(bytes); }), name = path().string() + ": ";
    EXPECT_TRUE(message.starts_with(name)) << "\"" << message << "\"";
    return message.substr(std::min(name.size(), message.size()));
  }
  std::filesystem::path path() const { return folder_ / "x.npy"; }

 private:
  TemporaryFolder folder_;
};

TEST_F(Npy, WritesTheBytesOfNumPy) {
  // numpy.save(…, numpy.arange(6, dtype="<f4").reshape(2, 3))
  const Tensor x = Tensor::of<float>({2, 3}, {0, 1, 2, 3, 4, 5});
  std::string expected("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 69);
  expected += std::string(58, ' ') + "\n";
  ASSERT_EQ(expected.size(), 128u);
  expected.append(static_cast<const char*>(x.raw()), 24);
  EXPECT_EQ(npy_bytes(x), expected);
  write_npy(path(), x);
  EXPECT_EQ(get(path()), expected);
}

TEST_F(Npy, ReadsWhatItWrites) {
  for (const DType type : {DType::f32, DType::f64, DType::f16, DType::i32, DType::i64, DType::u8}) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 3, 1, 2, 2}}) {
      const Tensor x = full(shape, type, 5);
      const Tensor y = read(npy_bytes(x));
      EXPECT_EQ(y.dtype(), type);
      EXPECT_EQ(y.shape(), shape);
      EXPECT_EQ(std::memcmp(x.raw(), y.raw(), size_t(x.bytes())), 0);
    }
  }
}

TEST_F(Npy, ReadsEveryVersionAndFormOfTheHeader) {
  const std::string two = std::string(2, '\0'), data = two + two;
  EXPECT_EQ(read(npy(header("'<i4'", "(1,)"), data, {2, 0})).shape(), Shape({1}));
  EXPECT_EQ(read(npy(header("'<i4'", "(1,)"), data, {3, 0})).shape(), Shape({1}));
  EXPECT_EQ(read(npy(header("'<f2'", "(2, 1)"), data)).shape(), Shape({2, 1}));
  EXPECT_EQ(read(npy(header("'<f4'", "()"), data)).shape(), Shape());
  EXPECT_EQ(read(npy("{\"shape\":(4,),\"descr\":\"|u1\",\"fortran_order\":False}", data)).shape(), Shape({4}));
}

TEST_F(Npy, CopiesDataThatIsNotAligned) {
  const double values[] = {1.5, -2.5};
  std::string data(sizeof values, '\0');
  std::memcpy(data.data(), values, sizeof values);
  for (int spaces = 0; spaces < 8; ++spaces) {
    const Tensor x = read(npy(header("'<f8'", "(2,)") + std::string(size_t(spaces), ' '), data));
    EXPECT_EQ(x.values<double>()[1], -2.5);
  }
}

TEST_F(Npy, DataStaysReadableWhenTheFileIsReplaced) {
  const Tensor x = read(npy_bytes(Tensor::of<float>({2}, {1, 2})));
  write_npy(path(), Tensor::of<float>({2}, {3, 4}));
  EXPECT_EQ(x.values<float>()[0], 1);
}

TEST_F(Npy, RefusesOtherKindsOfArrays) {
  const std::string known = "expected float16, float32, float64, int32, int64 or uint8, found ";
  EXPECT_EQ(fault(npy(header("'>f4'", "(1,)"), "1234")), known + "\">f4\" (big-endian)");
  EXPECT_EQ(fault(npy(header("'|O'", "(1,)"), "1234")), known + "\"|O\" (Python objects)");
  EXPECT_EQ(fault(npy(header("'<c8'", "(1,)"), "1234")), known + "\"<c8\"");
  EXPECT_EQ(fault(npy(header("''", "(1,)"), "1234")), known + "\"\"");
  EXPECT_EQ(fault(npy(header("[('a', '<f4')]", "(1,)"), "1234")), "expected an array of plain numbers, found records");
  EXPECT_EQ(fault(npy(header("'<f4'", "(1,)", "True"), "1234")), "expected C order (row by row), found Fortran order");
  EXPECT_EQ(fault(npy(header("'<f4'", "(1, 1, 1, 1, 1, 1, 1)"), "1234")),
            "shape: expected at most 6 dimensions, found 7");
}

TEST_F(Npy, TheLengthOfTheFileMustBeExact) {
  const std::string good = npy(header("'<f4'", "(2, 3)"), std::string(24, 'x'));
  EXPECT_EQ(fault(good + "y"), "expected 24 bytes of data for float32 [2, 3], found 25");
  EXPECT_EQ(fault(good.substr(0, good.size() - 1)), "expected 24 bytes of data for float32 [2, 3], found 23");
  EXPECT_EQ(fault(npy(header("'<f4'", "(0,)"), "x")), "expected 0 bytes of data for float32 [0], found 1");
}

TEST_F(Npy, SizesThatOverflowAreRefused) {
  EXPECT_EQ(fault(npy(header("'<f8'", "(4294967296, 4294967296)"))), "shape: [4294967296, 4294967296] is too large");
  EXPECT_EQ(fault(npy(header("'<f8'", "(2305843009213693952,)"))), "float64 [2305843009213693952] is too large");
  EXPECT_EQ(fault(npy(header("'<f8'", "(0, 4294967296, 4294967296)"))),
            "shape: [0, 4294967296, 4294967296] is too large");
  EXPECT_TRUE(fault(npy(header("'<f8'", "(99999999999999999999,)"))).find("expected a size") != std::string::npos);
}

TEST_F(Npy, OddHeadersFailWithOneLine) {
  const char* const bad[] = {"",
                             "{",
                             "{}",
                             "[]",
                             "{'descr': '<f4'}",
                             "{'descr': '<f4', 'descr': '<f4', }",
                             "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
                             "{'descr': '<\\x664', 'fortran_order': False, 'shape': (1,)}",
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),)}",
                             "{'descr': '<f4"};
  for (const char* text : bad) EXPECT_NE(fault(npy(text, "1234")), "") << text;
}

TEST_F(Npy, CutOffAnywhereFails) {
  const std::string good = npy_bytes(full({3}, DType::f32, 1));
  for (size_t size = 0; size < good.size(); ++size) EXPECT_NE(fault(good.substr(0, size)), "") << size;
}

TEST_F(Npy, HugeHeadersAreRefusedBeforeTheyAreRead) {
  const std::string start = std::string("\x93NUMPY\x02", 7) + '\0';
  EXPECT_EQ(fault(start + std::string("\x01\x00\x10\x00", 4)),
            "expected a header of at most 1048576 bytes, found 1048577");
  EXPECT_EQ(fault(start + std::string("\xff\xff\xff\xff", 4)),
            "expected a header of at most 1048576 bytes, found 4294967295");
  EXPECT_EQ(fault("\x93NUMPY\x04" + std::string(200, '\0')), "expected .npy format 1.0, 2.0 or 3.0, found 4.0");
  EXPECT_EQ(fault("PK\x03\x04 this is an .npz"), "not a .npy file");
}

TEST_F(Npy, DamagedBytesNeverDoMoreThanFail) {
  const std::string good = npy_bytes(Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good;
    for (int k = 0; k < 1 + i % 3; ++k) bytes[random() % 90] = char(random());
    message_of([&] {  // one line, or a tensor whose bytes are all there
      const Tensor x = read(bytes);
      EXPECT_LE(x.bytes(), int64_t(good.size()));
    });
  }
}

TEST_F(Npy, HasNoBfloat16) {
  EXPECT_TRUE(fails_with("npy: the format has no bfloat16; convert to float32 first",
                         [&] { npy_bytes(Tensor({1}, DType::bf16)); }));
  EXPECT_TRUE(fails_with("expected a tensor, found none", [&] { write_npy(path(), Tensor()); }));
}

}  // namespace
}  // namespace tensor
