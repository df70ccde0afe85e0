// The converters around a matrix-vector product: DAC before, ADC after. No include guard: once per instruction set.
#include "lanes.h"
#include "random.h"
#include "product.h"

namespace hwsim {
namespace HWSIM_NAMESPACE {

HWSIM_INLINE V quantise(V v, float step, bool stochastic, VU words) {
    if (step <= 0) return v;
    V scaled = v / step;
    if (!stochastic) return round_even(scaled) * step;
    // floor(v + u) with u in [0, 1): rounds up with the probability of the fraction.
    V shifted = scaled + to_float((VI)(words >> 8)) * 5.9604644775390625e-8f;
    V down = round_even(shifted);
    return select(less(shifted, down), down - 1.0f, down) * step;
}

// One converter channel per line: scale, quantise, clip, noise, asymmetry. The DAC adds its noise after the clip.
static void dac_lines(const Converter &c, const float *x, int64_t lines, float scale, uint64_t ordinal, uint64_t round, float *quantised,
                      float *applied) {
    const uint32_t low = (uint32_t)ordinal, high = (uint32_t)(ordinal >> 32);
    const KeySchedule noise_keys(c.key_noise), rounding_keys(c.key_rounding);
    for (int64_t begin = 0; begin < lines; begin += BLOCK) {
        const size_t n = (size_t)(lines - begin < BLOCK ? lines - begin : BLOCK);
        const uint64_t group = (round << 40) + (uint64_t)(begin / BLOCK);
        float in[BLOCK] = {}, clean[BLOCK], noisy[BLOCK], noise[BLOCK];
        VU words[UNITS] = {};
        std::memcpy(in, x + begin, n * sizeof(float));
        if (c.stochastic_rounding) random_words<1>(rounding_keys, group, low, high, words);
        if (c.noise > 0) normal_block<1>(noise_keys, group, low, high, noise);
        for (int u = 0; u < UNITS; ++u) {
            V v = quantise(load<V>(in + u * LANES) * scale, c.step, c.stochastic_rounding, words[u]);
            if (c.bound > 0) v = minimum(maximum(v, splat(-c.bound)), splat(c.bound));
            store(clean + u * LANES, v);
            if (c.noise > 0) v = v + load<V>(noise + u * LANES) * c.noise;
            if (c.asymmetry != 0) v = select(less(v, V{}), v * (1.0f - c.asymmetry), v);
            store(noisy + u * LANES, v);
        }
        std::memcpy(quantised + begin, clean, n * sizeof(float));
        std::memcpy(applied + begin, noisy, n * sizeof(float));
    }
}

// The ADC bends its input, weakens negative values and adds its noise, all before the quantisation. `weight_std` is the read noise of each output, or null.
// Returns the number of outputs beyond the bound; negative ones count only with `test_negative`.
static int32_t adc_lines(const Converter &c, const float *y, const float *weight_std, int64_t lines, float factor, bool test_negative,
                         uint64_t ordinal, uint64_t round, float *out) {
    const uint32_t low = (uint32_t)ordinal, high = (uint32_t)(ordinal >> 32);
    const KeySchedule noise_keys(c.key_noise), rounding_keys(c.key_rounding);
    int32_t beyond = 0;
    for (int64_t begin = 0; begin < lines; begin += BLOCK) {
        const size_t n = (size_t)(lines - begin < BLOCK ? lines - begin : BLOCK);
        const uint64_t group = (round << 40) + (uint64_t)(begin / BLOCK);
        float in[BLOCK] = {}, std[BLOCK] = {}, noise[BLOCK], weight_noise[BLOCK], result[BLOCK];
        VU words[UNITS] = {};
        std::memcpy(in, y + begin, n * sizeof(float));
        if (c.stochastic_rounding) random_words<1>(rounding_keys, group, low, high, words);
        if (c.noise > 0 || c.noise_std) normal_block<1>(noise_keys, group, low, high, noise);
        float noise_std[BLOCK] = {}, nonlinearity[BLOCK] = {};
        if (c.noise_std) std::memcpy(noise_std, c.noise_std + begin, n * sizeof(float));
        if (c.nonlinearity) std::memcpy(nonlinearity, c.nonlinearity + begin, n * sizeof(float));
        if (weight_std) {
            std::memcpy(std, weight_std + begin, n * sizeof(float));
            draw_normals(c.key_weight, group, low, high, 1, weight_noise);
        }
        for (int u = 0; u < UNITS; ++u) {
            V v = load<V>(in + u * LANES);
            if (weight_std) v = v + load<V>(std + u * LANES) * load<V>(weight_noise + u * LANES);
            if (c.nonlinearity) {
                const V bend = load<V>(nonlinearity + u * LANES) * v;
                v = v * c.slope / (maximum(bend, -bend) + 1.0f);
            }
            if (c.asymmetry != 0) v = select(less(v, V{}), v * (1.0f - c.asymmetry), v);
            if (c.noise_std) v = v + load<V>(noise + u * LANES) * load<V>(noise_std + u * LANES);
            else if (c.noise > 0) v = v + load<V>(noise + u * LANES) * c.noise;
            v = quantise(v, c.step, c.stochastic_rounding, words[u]);
            if (c.bound > 0) {
                uint32_t over = bits(less(splat(c.bound), v));
                if (test_negative) over |= bits(less(v, splat(-c.bound)));
                const int64_t valid = (int64_t)n - u * LANES;
                if (valid < LANES) over &= valid > 0 ? (1u << valid) - 1 : 0;
                beyond += __builtin_popcount(over);
                v = minimum(maximum(v, splat(-c.bound)), splat(c.bound));
            }
            store(result + u * LANES, v * factor);
        }
        std::memcpy(out + begin, result, n * sizeof(float));
    }
    return beyond;
}

// Largest value and largest magnitude of one vector.
static void measure_line(const float *x, int64_t n, float *largest, float *magnitude) {
    V tops = splat(x[0]), sizes = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const V v = load<V>(x + i);
        tops = maximum(tops, v);
        sizes = maximum(sizes, maximum(v, -v));
    }
    float top = x[0], size = 0;
    for (int k = 0; k < LANES; ++k) {
        top = tops[k] > top ? tops[k] : top;
        size = sizes[k] > size ? sizes[k] : size;
    }
    for (; i < n; ++i) {
        top = x[i] > top ? x[i] : top;
        const float a = __builtin_fabsf(x[i]);
        size = a > size ? a : size;
    }
    *largest = top;
    *magnitude = size;
}

// The larger of the sums of the positive and of the negative values of one vector.
static double one_sided_sum(const float *x, int64_t n) {
    double positive = 0, negative = 0;
    for (int64_t i = 0; i < n; ++i) {
        positive += x[i] > 0 ? x[i] : 0;
        negative -= x[i] < 0 ? x[i] : 0;
    }
    return positive > negative ? positive : negative;
}

// Sums over rows and columns of weight[rows][stride].
static void sum_lines(const float *weight, int64_t rows, int64_t cols, int64_t stride, double *row_sum, double *col_sum) {
    for (int64_t j = 0; j < cols; ++j) col_sum[j] = 0;
    for (int64_t i = 0; i < rows; ++i) {
        const float *w = weight + i * stride;
        double part[8] = {};
        int64_t j = 0;
        for (; j + 8 <= cols; j += 8)
            for (int k = 0; k < 8; ++k) part[k] += (double)w[j + k];
        for (; j < cols; ++j) part[0] += (double)w[j];
        row_sum[i] = ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
        for (j = 0; j < cols; ++j) col_sum[j] += (double)w[j];
    }
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
