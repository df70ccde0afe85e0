// Plans pulse trains: how many slots a sample takes and how probable a pulse on each line is.
// Source: Gokmen and Vlasov 2016; the management rules of AIHWKit's UpdateParameters.
#pragma once

#include "update.h"

namespace hwsim {

struct PlanRules {
    double granularity = 1, grad_scale = 1;
    int32_t desired_bl = 31;
    bool fixed_bl = true, update_management = true, update_bl_management = true;
};

struct TrainShape {
    double length = 0, col_gain = 0, row_gain = 0;
};

inline double magnitude(int32_t raw) {
    float x;
    std::memcpy(&x, &raw, sizeof x);
    return (double)x;
}

// The train of one sample with the largest magnitudes `x_max` and `d_max` (neither is 0) at the learning rate `rate` > 0.
inline TrainShape train_shape(const PlanRules &r, double rate, double x_max, double d_max) {
    double length = r.desired_bl;
    double gain = std::sqrt(rate / (r.granularity * length));
    if (!r.fixed_bl && rate > r.granularity * length) {
        length = std::max(std::ceil(rate / r.granularity), 1.0);
        gain = 1;
    }
    const double k = rate * x_max * d_max / r.granularity;
    if (r.update_bl_management) {
        length = std::max(1.0, std::min(std::ceil(k), (double)r.desired_bl));
        gain = std::sqrt(rate / (r.granularity * length));
    }
    double balance = 1;
    if (r.update_management || r.update_bl_management) {
        const double d_used = k > r.desired_bl ? d_max * (r.desired_bl / k) : d_max;
        balance = std::sqrt(d_used / x_max);
    }
    return {length, gain * balance, gain / balance};
}

// `rates` has one learning rate for each sample, or one for all (`rate_stride` 0). Returns 0, or 1 / 2 where x / d of `*sample`
// holds a NaN or infinity, or 3 where its train would be longer than `longest` slots.
inline int plan(const PlanRules &r, const double *rates, int64_t rate_stride, const float *x, const float *d, int64_t n, int64_t cols,
                int64_t rows, int32_t longest, int64_t *sample, int32_t *bl, double *col_gain, double *row_gain) {
    for (int64_t s = 0; s < n; ++s) {
        *sample = s;
        const int32_t x_raw = HWSIM_DISPATCH(largest_bits, x + s * cols, cols), d_raw = HWSIM_DISPATCH(largest_bits, d + s * rows, rows);
        if (x_raw >= 0x7F800000) return 1;
        if (d_raw >= 0x7F800000) return 2;
        const double rate = rates[s * rate_stride], x_max = magnitude(x_raw), d_max = magnitude(d_raw) * r.grad_scale;
        TrainShape shape;
        if (x_max > 0 && d_max > 0 && rate > 0) shape = train_shape(r, rate, x_max, d_max);
        if (shape.length > longest) return 3;
        bl[s] = (int32_t)shape.length;
        col_gain[s] = shape.col_gain;
        row_gain[s] = shape.row_gain;
    }
    return 0;
}

}  // namespace hwsim
