// Converters, compiled for each instruction set.
#pragma once

#include <cstdint>

namespace hwsim {

struct Converter {
    uint64_t key_noise = 0, key_rounding = 0, key_weight = 0;
    float bound = 0;  // 0 or less: none
    float step = 0;   // one quantisation level; 0 or less: continuous
    float noise = 0;
    float asymmetry = 0;
    bool stochastic_rounding = false;
    const float *noise_std = nullptr;    // noise of each output instead of `noise`; null for none
    const float *nonlinearity = nullptr; // n of each output: y becomes slope y / (1 + |n y|); null for none
    float slope = 1;
};

// An array as a read sees it: the weight from input i to output o is w[i * input_step + o * output_step]. One step is 1, or
// there is one input.
struct Matrix {
    const float *w = nullptr;
    int64_t inputs = 0, outputs = 0, input_step = 0, output_step = 0;
};

}  // namespace hwsim

#define HWSIM_BODY "converter_body.h"
#include "every_isa.h"
#undef HWSIM_BODY

namespace hwsim {

inline void run_dac(const Converter &c, const float *x, int64_t lines, float scale, uint64_t ordinal, uint64_t round, float *quantised,
                    float *applied) {
    HWSIM_DISPATCH(dac_lines, c, x, lines, scale, ordinal, round, quantised, applied);
}

inline int32_t run_adc(const Converter &c, const float *y, const float *weight_std, int64_t lines, float factor, bool test_negative,
                       uint64_t ordinal, uint64_t round, float *out) {
    return HWSIM_DISPATCH(adc_lines, c, y, weight_std, lines, factor, test_negative, ordinal, round, out);
}

inline void run_product(const Matrix &m, const float *x, int64_t n, float *y) { HWSIM_DISPATCH(product, m, x, n, y); }

inline void run_measure(const float *x, int64_t n, float *largest, float *magnitude) {
    HWSIM_DISPATCH(measure_line, x, n, largest, magnitude);
}

inline int32_t run_largest_bits(const float *x, int64_t n) { return HWSIM_DISPATCH(largest_bits, x, n); }

inline double run_one_sided_sum(const float *x, int64_t n) { return HWSIM_DISPATCH(one_sided_sum, x, n); }

inline void run_sum_lines(const float *weight, int64_t rows, int64_t cols, int64_t stride, double *row_sum, double *col_sum) {
    HWSIM_DISPATCH(sum_lines, weight, rows, cols, stride, row_sum, col_sum);
}

}  // namespace hwsim
