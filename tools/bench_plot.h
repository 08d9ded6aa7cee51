#pragma once
#include <string>
#include <utility>
#include <vector>

namespace tools::bench {

/// Lines over two logarithmic axes.
struct Figure {
  std::string title, x_label, y_label;
  struct Line {
    std::string name;
    int colour = 0;                                 ///< lines of one colour belong together
    bool dashed = false;                            ///< sets lines of one colour apart
    std::vector<std::pair<double, double>> points;  ///< x ascending; x, y > 0
  };
  std::vector<Line> lines;
};

/// The figure as an SVG document: ticks at powers of ten (y: at 1, 2 and 5 times those), each line named at its end.
std::string svg(const Figure& figure);

}  // namespace tools::bench
