#include "tools/bench_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tools::bench {
namespace {

constexpr double width = 960, left = 78, right = 640, top = 58, row_height = 19;
constexpr std::array colours = {"#0072b2", "#d55e00", "#009e73", "#aa4499", "#b8860b", "#555555"};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// 1,000,000
std::string grouped(double number) {
  if (number < 1) return fmt::format("{:g}", number);
  std::string digits = fmt::format("{:.0f}", number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3) digits.insert(size_t(at), 1, ',');
  return digits;
}

/// A logarithmic axis: numbers from `low` to `high` onto pixels from `from` to `to`.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const { return from + (to - from) * std::log(value / low) / std::log(high / low); }
  /// Multiples of powers of ten on the axis.
  std::vector<double> ticks(std::initializer_list<double> multiples) const {
    std::vector<double> result;
    for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10) {
      for (const double multiple : multiples) {
        const double tick = multiple * power;
        if (tick >= low * 0.999 && tick <= high * 1.001) result.push_back(tick);
      }
    }
    return result;
  }
};

/// The largest 1, 2 or 5 times a power of ten that is at most x.
double step_below(double x) {
  const double power = std::pow(10, std::floor(std::log10(x) + 1e-9));
  return x >= 4.999 * power ? 5 * power : x >= 1.999 * power ? 2 * power : power;
}
/// The smallest that is at least x.
double step_above(double x) {
  const double below = step_below(x);
  return below >= x * 0.999 ? below : step_below(below * 2.51);
}

struct Range {
  double low = INFINITY, high = 0;
  void take(double x) { low = std::min(low, x), high = std::max(high, x); }
};

/// Where names stand: near `wanted`, in the same order, `row_height` apart, between `low` and `high`.
std::vector<double> spread(const std::vector<double>& wanted, double low, double high) {
  std::vector<size_t> order(wanted.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return wanted[a] < wanted[b]; });
  std::vector<double> y = wanted;
  double next = low;
  for (const size_t i : order) y[i] = std::max(y[i], next), next = y[i] + row_height;
  double limit = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) y[*i] = std::min(y[*i], limit), limit = y[*i] - row_height;
  return y;
}

const char* colour_of(const Figure::Line& line) { return colours[size_t(line.colour) % colours.size()]; }
const char* dash_of(const Figure::Line& line) { return line.dashed ? " stroke-dasharray=\"6 4\"" : ""; }

std::string grid(const Axis& x, const Axis& y) {
  std::string text;
  for (const double tick : x.ticks({1})) {
    text += fmt::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"#e3e3e3\"/>\n", x(tick), y.from, y.to);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x(tick), y.from + 20,
                        grouped(tick));
  }
  for (const double tick : y.ticks({1, 2, 5})) {
    text += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#e3e3e3\"/>\n", x.from, y(tick), x.to);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", x.from - 8, y(tick) + 4,
                        grouped(tick));
  }
  return text + fmt::format("<path d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\" fill=\"none\" stroke=\"#444444\"/>\n", x.from,
                            y.to, y.from, x.to);
}

std::string curve(const Figure::Line& line, const Axis& x, const Axis& y) {
  std::string path, marks;
  for (const auto& [at, value] : line.points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x(at), y(value));
    marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\" fill=\"{}\" stroke=\"{}\"/>\n", x(at), y(value),
                         line.dashed ? "#ffffff" : colour_of(line), colour_of(line));
  }
  return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n{}", path, colour_of(line),
                     dash_of(line), marks);
}

/// The line's name at the right, tied to its last point.
std::string label(const Figure::Line& line, const Axis& x, const Axis& y, double at) {
  const auto& [last_x, last_y] = line.points.back();
  const double from = x(last_x) + 6, start = right + 42;
  std::string text = fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"{}\" stroke-opacity=\"0.35\"/>\n",
                                 from, y(last_y), start - 4, at, colour_of(line));
  text += fmt::format("<path d=\"M{:.1f} {:.1f}h26\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", start, at,
                      colour_of(line), dash_of(line));
  return text + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\">{}</text>\n", start + 33, at + 4,
                            colour_of(line), escaped(line.name));
}

}  // namespace

std::string svg(const Figure& figure) {
  Range xs, ys;
  for (const Figure::Line& line : figure.lines) {
    for (const auto& [at, value] : line.points) xs.take(at), ys.take(value);
  }
  if (xs.high == 0) xs = ys = {1, 10};
  const double height = std::max(470.0, top + 90 + row_height * double(figure.lines.size()));
  const double bottom = height - 62;
  const Axis x{xs.low / 1.2, xs.high * 1.2, left, right};
  const Axis y{step_below(ys.low * 0.95), step_above(ys.high * 1.05), bottom, top};

  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222222\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
      width, height);
  text += fmt::format("<text x=\"{}\" y=\"30\" font-size=\"16\" font-weight=\"bold\">{}</text>\n", left,
                      escaped(figure.title));
  text += grid(x, y);
  text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (left + right) / 2,
                      bottom + 44, escaped(figure.x_label));
  text += fmt::format("<text transform=\"translate(20 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                      (top + bottom) / 2, escaped(figure.y_label));
  std::vector<double> ends;
  for (const Figure::Line& line : figure.lines) ends.push_back(y(line.points.back().second));
  const std::vector<double> places = spread(ends, top, bottom);
  for (size_t i = 0; i < figure.lines.size(); ++i) text += label(figure.lines[i], x, y, places[i]);
  for (const Figure::Line& line : figure.lines) text += curve(line, x, y);
  return text + "</svg>\n";
}

}  // namespace tools::bench
