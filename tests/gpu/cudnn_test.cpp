#include "kernels/attention.h"
#include "kernels/layer_norm.h"
#include "kernels/softmax.h"
#include "tests/cuda/arrays.h"
#include "tests/kernels/sequences.h"
#include "tools/bench_peer.h"

/// Our kernels beside cuDNN's, which have no line in common with them. On a card alone, and where the build found
/// cuDNN.
namespace kernels {
namespace {

namespace peer = tools::bench::peer;

/// How far the two may be apart (relative L2): each rounds once what it stores, and in f32 the library may take the
/// card's quick exp, good to some 1e-6.
template <class T>
constexpr double limit = sizeof(T) == 4 ? 1e-5 : 2 * device_tolerance<T>;

template <class T>
class Cudnn : public testing::Test {
 protected:
  void SetUp() override {
    if (peer::cudnn_version().empty()) GTEST_SKIP() << "not compared: no cuDNN when this was built, or none that works";
    if (std::is_same_v<T, bf16> && !Cuda::has_bf16()) GTEST_SKIP() << "not compared: this card has no bf16";
  }
  static constexpr tensor::DType type = tensor::dtype_of<T>;
};
template <class T>
class CudnnIn16Bits : public Cudnn<T> {};
using Shared = testing::Types<float, f16, bf16>;
using SharedIn16Bits = testing::Types<f16, bf16>;
TYPED_TEST_SUITE(Cudnn, Shared);
TYPED_TEST_SUITE(CudnnIn16Bits, SharedIn16Bits);

template <class T>
void expect_same(const Device<T>& ours, const Device<T>& theirs, double most, const char* what) {
  EXPECT_LE(relative_error(ours.values(), as<double>(theirs.values())), most) << what;
}

#define SKIP_WITHOUT(call) \
  if (!(call)) GTEST_SKIP() << "not compared from here on: cuDNN " << peer::cudnn_version() << " has none of this size"

/// Rows and columns of a model: more rows than a block holds, a vocabulary.
constexpr std::pair<int64_t, int64_t> sizes[] = {{37, 64}, {1000, 512}, {300, 4096}};

TYPED_TEST(Cudnn, SoftmaxIsOurs) {
  using T = TypeParam;
  for (const auto& [rows, cols] : sizes) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols);
    const int64_t n = rows * cols;
    const Device<T> x(draw<T>(n, 1, -5, 5)), dy(draw<T>(n, 2)), y(n), dx(n), their_y(n), their_dx(n);
    softmax<T>(Cuda(), x, y, rows, cols);
    SKIP_WITHOUT(peer::softmax(this->type, false, x, their_y, rows, cols));
    expect_same(y, their_y, limit<T>, "softmax");
    softmax_backward<T>(Cuda(), y, dy, {dx.data()}, rows, cols);
    SKIP_WITHOUT(peer::softmax_backward(this->type, false, y, dy, their_dx, rows, cols));
    expect_same(dx, their_dx, limit<T>, "its gradient");

    log_softmax<T>(Cuda(), x, y, rows, cols);
    SKIP_WITHOUT(peer::softmax(this->type, true, x, their_y, rows, cols));
    expect_same(y, their_y, limit<T>, "log softmax");
    log_softmax_backward<T>(Cuda(), y, dy, {dx.data()}, rows, cols);
    SKIP_WITHOUT(peer::softmax_backward(this->type, true, y, dy, their_dx, rows, cols));
    expect_same(dx, their_dx, limit<T>, "its gradient");
  }
}

TYPED_TEST(Cudnn, LayerNormIsOurs) {
  using T = TypeParam;
  for (const auto& [rows, cols] : sizes) {
    SCOPED_TRACE(testing::Message() << rows << " × " << cols);
    const int64_t n = rows * cols;
    const Device<T> x(draw<T>(n, 1, -1, 3)), dy(draw<T>(n, 2)), y(n), dx(n), their_y(n), their_dx(n);
    const Device<float> w(draw<float>(cols, 3)), b(draw<float>(cols, 4)), mean(rows), rstd(rows), dw(cols), db(cols),
        their_mean(rows), their_rstd(rows), their_dw(cols), their_db(cols);
    layer_norm<T>(Cuda(), x, w, b, y, mean, rstd, rows, cols, 1e-5f);
    SKIP_WITHOUT(peer::layer_norm(this->type, x, w, b, their_y, their_mean, their_rstd, rows, cols));
    expect_same(y, their_y, limit<T>, "layer norm");
    expect_same(mean, their_mean, limit<float>, "means");
    expect_same(rstd, their_rstd, limit<float>, "1 / deviations");
    layer_norm_backward<T>(Cuda(), x, w, mean, rstd, dy, {dx.data()}, {dw.data()}, {db.data()}, rows, cols);
    SKIP_WITHOUT(peer::layer_norm_backward(this->type, x, w, mean, rstd, dy, their_dx, their_dw, their_db, rows, cols));
    expect_same(dx, their_dx, limit<T>, "gradient of x");
    expect_same(dw, their_dw, limit<T>, "gradient of the weight");
    expect_same(db, their_db, limit<T>, "gradient of the bias");
  }
}

TYPED_TEST(CudnnIn16Bits, AttentionIsOurs) {
  using T = TypeParam;
  const std::vector<Case> cases = {{{64, 64}, {64, 64}, 8, 64, false},
                                   {{24, 24, 24}, {72, 72, 72}, 4, 64, false},
                                   {{130, 130}, {130, 130}, 2, 32, false},
                                   {{40}, {200}, 2, 128, false}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.queries[0] << " queries, " << c.keys[0] << " keys, width " << c.width);
    const Packed packed(c);
    const Device<int32_t> q_offsets(packed.q_offsets), k_offsets(packed.k_offsets);
    AttentionShape there = packed.shape;
    there.q_offsets = q_offsets, there.k_offsets = k_offsets;
    const int64_t asking = packed.q_rows * packed.d, asked = packed.k_rows * packed.d;
    const Device<T> q(draw<T>(asking, 1)), k(draw<T>(asked, 2)), v(draw<T>(asked, 3)), o(asking), their_o(asking);
    attention<T>(Cuda(), there, q, k, v, o, nullptr);
    SKIP_WITHOUT(peer::attention(this->type, int64_t(c.queries.size()), c.heads, c.width, c.queries[0], c.keys[0], q, k,
                                 v, their_o));
    expect_same(o, their_o, limit<T>, "attention");
  }
}

}  // namespace
}  // namespace kernels
