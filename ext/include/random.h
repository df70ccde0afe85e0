// Random words and standard normals in groups of 32, drawn from eight Philox blocks at once.
// A stream is (key, c2, c3); group g takes the blocks 8 g ... 8 g + 7 (64-bit block number = counter words 0 and 1).
// Words of a group: [0, 16) = words 0 and 2 of each block in turn, [16, 32) = words 1 and 3.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

constexpr int HALF = UNITS / 2;

HWSIM_INLINE void random_words(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, VU *words) {
    for (int h = 0; h < HALF; ++h) {
        VL block;
        for (int i = 0; i < LANES / 2; ++i) block[i] = (uint64_t)i;
        block = block + (group * 8 + (uint64_t)h * (LANES / 2));
        VL v0 = block, v1 = block >> 32, v2 = VL{} + (uint64_t)c2, v3 = VL{} + (uint64_t)c3;
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        // The upper halves of the 64-bit lanes hold rubbish that no multiplication reads.
#pragma GCC unroll 10
        for (int round = 0; round < PHILOX_ROUNDS; ++round) {
            const VL p0 = multiply_low(v0, PHILOX_M0), p1 = multiply_low(v2, PHILOX_M1);
            v0 = (p1 >> 32) ^ v1 ^ (uint64_t)k0;
            v1 = p1;
            v2 = (p0 >> 32) ^ v3 ^ (uint64_t)k1;
            v3 = p0;
            k0 += PHILOX_W0;
            k1 += PHILOX_W1;
        }
        words[h] = (VU)((v0 & 0xFFFFFFFFu) | (v2 << 32));
        words[HALF + h] = (VU)((v1 & 0xFFFFFFFFu) | (v3 << 32));
    }
}

// Natural logarithm of positive normal floats, error below 1 ulp near 1 and 1e-7 relative elsewhere (Cephes logf polynomial).
HWSIM_INLINE V logarithm(V x) {
    VI raw = (VI)x;
    VI exponent = ((raw - 0x3F3504F3) >> 23);
    V m = (V)(raw - (exponent << 23)) - 1.0f;
    V e = to_float(exponent);
    V y = splat(7.0376836292e-2f);
    y = y * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    V square = m * m;
    y = y * m * square + e * -2.12194440e-4f - square * 0.5f;
    return (m + y) + e * 0.693359375f;
}

// Exponential, relative error 1e-7; the argument is cut at -87 and 88, so the result is finite and normal (Cephes expf polynomial).
HWSIM_INLINE V exponential(V x) {
    x = minimum(maximum(x, splat(-87.0f)), splat(88.0f));
    V n = (x * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    x = x - n * 0.693359375f;
    x = x - n * -2.12194440e-4f;
    V y = splat(1.9875691500e-4f);
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * (x * x) + x + 1.0f;
    return (V)((VI)y + (to_int(n) << 23));
}

// Box-Muller. `radius` words give the radius (31 bits: up to 6.66 sigma); `angle` words an angle within +-pi/4, an exchange of
// the two results and the sign of the cosine, which together cover the circle evenly.
HWSIM_INLINE void box_muller(VU radius, VU angle, V *first, V *second) {
    V u = (to_float((VI)(radius >> 1)) + 0.5f) * 4.656612873077393e-10f;
    V r = square_root(logarithm(u) * -2.0f);
    V t = to_float((VI)(angle << 2)) * 3.6572951981e-10f;
    V q = t * t;
    V sine = splat(-1.9515295891e-4f);
    sine = sine * q + 8.3321608736e-3f;
    sine = sine * q - 1.6666654611e-1f;
    sine = sine * q * t + t;
    V cosine = splat(2.443315711809948e-5f);
    cosine = cosine * q - 1.388731625493765e-3f;
    cosine = cosine * q + 4.166664568298827e-2f;
    cosine = cosine * (q * q) - q * 0.5f + 1.0f;
    cosine = (V)((VU)cosine ^ (angle & 0x80000000u));
    Mask exchange = greater(VI{}, (VI)(angle << 1));
    *first = r * select(exchange, sine, cosine);
    *second = r * select(exchange, cosine, sine);
}

HWSIM_INLINE void normal_group(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, float *out) {
    VU words[UNITS];
    random_words(key, group, c2, c3, words);
    for (int h = 0; h < HALF; ++h) {
        V first, second;
        box_muller(words[h], words[HALF + h], &first, &second);
        store(out + h * LANES, first);
        store(out + BLOCK / 2 + h * LANES, second);
    }
}

static inline void normal_groups(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out) {
    for (int64_t g = 0; g < groups; ++g) normal_group(key, group + (uint64_t)g, c2, c3, out + g * BLOCK);
}

static inline void word_groups(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, uint32_t *out) {
    for (int64_t g = 0; g < groups; ++g) {
        VU words[UNITS];
        random_words(key, group + (uint64_t)g, c2, c3, words);
        for (int u = 0; u < UNITS; ++u) store(out + g * BLOCK + u * LANES, words[u]);
    }
}

// The normals of one stream in order, buffered; `position` is the ordinal of the next one.
class NormalStream {
public:
    NormalStream(uint64_t key, uint32_t row, uint64_t position)
        : key_(key), row_(row), group_(position / BLOCK), skip_((int)(position % BLOCK)) {}

    // Pointer to at least 32 normals that have not been consumed.
    __attribute__((always_inline)) const float *peek() {
        if (__builtin_expect(end_ - begin_ < BLOCK, 0)) refill();
        return buffer_ + begin_;
    }
    void consume(int n) { begin_ += n; }
    uint64_t position() const { return group_ * BLOCK - (uint64_t)(end_ - begin_) + (uint64_t)(fresh_ ? skip_ : 0); }

private:
    static constexpr int CAPACITY = 1024;

    // Few draws make few normals: each refill doubles, from two groups to the whole buffer.
    __attribute__((noinline)) void refill() {
        const int left = end_ - begin_;
        std::memmove(buffer_, buffer_ + begin_, sizeof(float) * (size_t)left);
        normal_groups(key_, group_, row_, 0, batch_, buffer_ + left);
        group_ += (uint64_t)batch_;
        begin_ = 0;
        end_ = left + batch_ * BLOCK;
        if (fresh_) begin_ = skip_;
        fresh_ = false;
        batch_ = batch_ < CAPACITY / BLOCK ? batch_ * 2 : batch_;
    }

    uint64_t key_;
    uint32_t row_;
    uint64_t group_;
    int begin_ = 0, end_ = 0, skip_, batch_ = 2;
    bool fresh_ = true;
    alignas(64) float buffer_[CAPACITY + 2 * BLOCK];
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
