// A read of a few vectors in one go: DAC, product, ADC, and again with wider ranges where an output saturated.
#pragma once

#include <vector>

#include "converter.h"

namespace hwsim {

class ReadChain {
public:
    Converter dac, adc;
    bool test_negative = true;
    int most_retries = 0;
    float out_scale = 1;

    // Reads m with x[n][inputs], each over its scale; the vectors have the ordinals from `first` on. `clean` gets what the DACs
    // of the last attempt put on the inputs, without noise. Returns the outputs that stayed at the bound.
    int64_t read(const Matrix &m, const float *x, int64_t n, const float *scale, uint64_t first, float *y, float *clean, int32_t *retries) {
        again_.resize((size_t)n);
        for (int64_t s = 0; s < n; ++s) again_[(size_t)s] = s;
        for (int64_t s = 0; s < n; ++s) retries[s] = 0;
        int64_t beyond = 0;
        for (int retry = 0; !again_.empty(); ++retry) {
            beyond = attempt(m, x, scale, first, retry, y, clean);
            if (retry == most_retries) break;
            again_.swap(saturated_);
            for (const int64_t s : again_) ++retries[s];
        }
        return beyond;
    }

private:
    static constexpr float SMALLEST_SCALE = 1e-37f; // below it an inverse would overflow

    // Reads the vectors again_ with their scales times 2^retry; saturated_ gets those with an output beyond the bound.
    int64_t attempt(const Matrix &m, const float *x, const float *scale, uint64_t first, int retry, float *y, float *clean) {
        const float wider = (float)(1 << retry);
        const size_t n = again_.size();
        applied_.resize(n * (size_t)m.inputs);
        currents_.resize(n * (size_t)m.outputs);
        for (size_t k = 0; k < n; ++k) {
            const int64_t s = again_[k];
            const float divisor = scale[s] * wider, factor = 1.0f / (divisor < SMALLEST_SCALE ? SMALLEST_SCALE : divisor);
            run_dac(dac, x + s * m.inputs, m.inputs, factor, first + (uint64_t)s, (uint64_t)retry, clean + s * m.inputs,
                    applied_.data() + k * (size_t)m.inputs);
        }
        run_product(m, applied_.data(), (int64_t)n, currents_.data());
        int64_t beyond = 0;
        saturated_.clear();
        for (size_t k = 0; k < n; ++k) {
            const int64_t s = again_[k];
            const int32_t over = run_adc(adc, currents_.data() + k * (size_t)m.outputs, nullptr, m.outputs, scale[s] * wider * out_scale,
                                         test_negative, first + (uint64_t)s, (uint64_t)retry, y + s * m.outputs);
            if (over) saturated_.push_back(s);
            beyond += over;
        }
        return beyond;
    }

    std::vector<int64_t> again_, saturated_;
    std::vector<float> applied_, currents_;
};

}  // namespace hwsim
