#include "tests/autograd/table.h"

namespace autograd {

using tensor::Shape;
using Values = std::vector<double>;
using Inputs = std::span<const Variable>;

namespace {

/// [outer, count, inner] around an axis.
struct View {
  int64_t outer = 1, count = 1, inner = 1;
  View(const Shape& shape, int axis) {
    const int at = axis < 0 ? axis + shape.rank() : axis;
    for (int d = 0; d < shape.rank(); ++d) (d < at ? outer : d == at ? count : inner) *= shape[d];
  }
};

bool large(const Shape& shape) { return shape.elements() > 1000; }

}  // namespace

Cases embedding_cases() {
  struct Lookup {
    Shape table, ids;
  };
  Cases cases;
  for (const Lookup& s :
       {Lookup{Shape{1, 1}, Shape{1}}, Lookup{Shape{5, 3}, Shape{4}}, Lookup{Shape{7, 17}, Shape{2, 3}},
        Lookup{Shape{3, 2}, Shape{0}}, Lookup{Shape{50, 65}, Shape{600}}}) {
    std::vector<int32_t> chosen;  // some rows often, some never
    for (int64_t i = 0; i < s.ids.elements(); ++i) chosen.push_back(int32_t(i * i * 3 % s.table[0]));
    const Tensor ids = Tensor::of<int32_t>(s.ids, std::span<const int32_t>(chosen));
    cases.push_back({fmt::format("{} of {}", s.ids, s.table),
                     {draw(s.table, 1)},
                     [ids](Inputs x) { return embedding(x[0], ids, 1.5); },
                     [chosen](const std::vector<Array>& x) {
                       Values y;
                       for (const int32_t id : chosen) {
                         for (int64_t c = 0; c < x[0].cols(); ++c) y.push_back(1.5 * x[0](id, c));
                       }
                       return y;
                     },
                     1e-6,
                     large(s.table),
                     1});
  }
  return cases;
}

Cases concat_cases() {
  struct Parts {
    std::vector<Shape> shapes;
    int axis;
  };
  Cases cases;
  for (const Parts& s :
       {Parts{{Shape{1}}, 0}, Parts{{Shape{3}, Shape{5}, Shape{1}}, 0}, Parts{{Shape{2, 3}, Shape{4, 3}}, 0},
        Parts{{Shape{2, 3}, Shape{2, 3}}, -1}, Parts{{Shape{2, 1, 3}, Shape{2, 4, 3}, Shape{2, 0, 3}}, 1},
        Parts{{Shape{3, 17}, Shape{3, 1}}, 1}, Parts{{Shape{400, 33}, Shape{400, 20}}, 1}}) {
    std::vector<Array> inputs;
    std::string name;
    for (const Shape& shape : s.shapes) {
      inputs.push_back(draw(shape, inputs.size() + 1));
      name += fmt::format("{} ", shape);
    }
    cases.push_back({fmt::format("{}along {}", name, s.axis), std::move(inputs),
                     [axis = s.axis](Inputs x) { return concat(x, axis); },
                     [axis = s.axis](const std::vector<Array>& x) {
                       Values y;
                       for (int64_t o = 0; o < View(x[0].shape, axis).outer; ++o) {
                         for (const Array& part : x) {
                           const View v(part.shape, axis);
                           for (int64_t i = 0; i < v.count * v.inner; ++i) y.push_back(part(o * v.count * v.inner + i));
                         }
                       }
                       return y;
                     },
                     1e-6, large(s.shapes[0])});
  }
  return cases;
}

Cases slice_cases() {
  struct Cut {
    Shape shape;
    int axis;
    int64_t begin, end;
  };
  Cases cases;
  for (const Cut& s :
       {Cut{Shape{1}, 0, 0, 1}, Cut{Shape{7}, 0, 2, 5}, Cut{Shape{3, 17}, 1, 16, 17}, Cut{Shape{3, 17}, -2, 1, 3},
        Cut{Shape{2, 5, 3}, 1, 0, 4}, Cut{Shape{2, 3}, 0, 1, 1}, Cut{Shape{300, 131}, 1, 1, 130}}) {
    cases.push_back({fmt::format("{} … {} of axis {} of {}", s.begin, s.end, s.axis, s.shape),
                     {draw(s.shape, 1)},
                     [s](Inputs x) { return slice(x[0], s.axis, s.begin, s.end); },
                     [s](const std::vector<Array>& x) {
                       const View v(s.shape, s.axis);
                       Values y;
                       for (int64_t o = 0; o < v.outer; ++o) {
                         for (int64_t k = s.begin; k < s.end; ++k) {
                           for (int64_t i = 0; i < v.inner; ++i) y.push_back(x[0]((o * v.count + k) * v.inner + i));
                         }
                       }
                       return y;
                     },
                     1e-6,
                     large(s.shape)});
  }
  return cases;
}

Cases transpose_cases() {
  Cases cases;
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 7}, Shape{3, 5}, Shape{17, 16}, Shape{2, 3, 4}, Shape{2, 1, 3, 2},
                             Shape{2, 0, 3}, Shape{257, 131}}) {
    cases.push_back({fmt::format("{}", shape),
                     {draw(shape, 1)},
                     [](Inputs x) { return transpose(x[0]); },
                     [](const std::vector<Array>& x) {
                       const int64_t m = x[0].shape[-2], n = x[0].shape[-1];
                       Values y;
                       for (int64_t p = 0; p * m * n < x[0].shape.elements(); ++p) {
                         for (int64_t j = 0; j < n; ++j) {
                           for (int64_t i = 0; i < m; ++i) y.push_back(x[0]((p * m + i) * n + j));
                         }
                       }
                       return y;
                     },
                     1e-6,
                     large(shape)});
  }
  return cases;
}

Cases reshape_cases() {
  struct Change {
    Shape from, to;
  };
  Cases cases;
  for (const Change& s : {Change{Shape{}, Shape{1}}, Change{Shape{3, 4}, Shape{2, 6}}, Change{Shape{7}, Shape{7, 1}},
                          Change{Shape{2, 3, 5}, Shape{30}}}) {
    cases.push_back({fmt::format("{} to {}", s.from, s.to),
                     {draw(s.from, 1)},
                     [to = s.to](Inputs x) { return reshape(x[0], to); },
                     [](const std::vector<Array>& x) { return x[0].values; }});
  }
  return cases;
}

namespace {

constexpr int everything = 99;

/// Sums, or means, over an axis or over everything.
Cases reductions(bool mean_of) {
  struct Reduction {
    Shape shape;
    int axis;
  };
  Cases cases;
  for (const Reduction& s :
       {Reduction{Shape{1}, everything}, Reduction{Shape{3, 17}, everything}, Reduction{Shape{}, everything},
        Reduction{Shape{5}, 0}, Reduction{Shape{3, 17}, 0}, Reduction{Shape{3, 17}, 1}, Reduction{Shape{2, 3, 5}, 1},
        Reduction{Shape{2, 3, 5}, -1}, Reduction{Shape{2, 1, 5}, 1}, Reduction{Shape{0, 3}, 1},
        Reduction{Shape{70001}, everything}, Reduction{Shape{131, 257}, 0}, Reduction{Shape{131, 257}, 1}}) {
    const View v = s.axis == everything ? View(Shape{s.shape.elements()}, 0) : View(s.shape, s.axis);
    const auto call = [=](Inputs x) {
      if (s.axis == everything) return mean_of ? mean(x[0]) : sum(x[0]);
      return mean_of ? mean(x[0], s.axis) : sum(x[0], s.axis);
    };
    cases.push_back({s.axis == everything ? fmt::format("{}", s.shape) : fmt::format("axis {} of {}", s.axis, s.shape),
                     {draw(s.shape, 1, -1, 3)},
                     call,
                     [=](const std::vector<Array>& x) {
                       Values y;
                       for (int64_t o = 0; o < v.outer; ++o) {
                         for (int64_t i = 0; i < v.inner; ++i) {
                           double total = 0;
                           for (int64_t k = 0; k < v.count; ++k) total += x[0]((o * v.count + k) * v.inner + i);
                           y.push_back(mean_of ? total / double(v.count) : total);
                         }
                       }
                       return y;
                     },
                     1e-6,
                     large(s.shape)});
  }
  return cases;
}

}  // namespace

Cases sum_cases() { return reductions(false); }
Cases mean_cases() { return reductions(true); }

}  // namespace autograd
