#pragma once
#include <cmath>
#include <numbers>

namespace nn {

/// Learning rates as functions of the step t = 0, 1, 2, … (steps may be fractions of an epoch times its length).

/// From `first` to `peak` over `warmup` steps: first + (peak − first) (t + 1) / warmup; peak from t = warmup − 1 on.
inline double linear_warmup(double t, double warmup, double first, double peak) {
  return t + 1 >= warmup ? peak : first + (peak - first) * (t + 1) / warmup;
}

/// Linear warm-up, then peak · √(warmup / (t + 1)) (Vaswani et al. 2017, equation 3).
inline double inverse_square_root(double t, double warmup, double first, double peak) {
  return t + 1 < warmup ? linear_warmup(t, warmup, first, peak) : peak * std::sqrt(std::fmax(warmup, 1.0) / (t + 1));
}

/// Linear warm-up, then cosine cycles of `cycle` steps from peak to 0, each starting at the peak again
/// (Loshchilov and Hutter 2017, equation 5): ½ peak (1 + cos(π · ((t − warmup) mod cycle) / cycle)).
inline double cosine_restarts(double t, double warmup, double cycle, double first, double peak) {
  if (t < warmup) return linear_warmup(t, warmup, first, peak);
  return 0.5 * peak * (1 + std::cos(std::numbers::pi * std::fmod(t - warmup, cycle) / cycle));
}

}  // namespace nn
