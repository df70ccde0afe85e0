// Random words and standard normals in groups of 32, drawn from eight Philox blocks at once.
// A stream is (key, c2, c3); group g takes the blocks 8 g ... 8 g + 7 (64-bit block number = counter words 0 and 1).
// Words of a group: [0, 16) = words 0 and 2 of each block in turn, [16, 32) = words 1 and 3.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

constexpr int HALF = UNITS / 2;

// The round keys of one stream, ready to be read as broadcast operands.
struct KeySchedule {
    uint64_t even[PHILOX_ROUNDS], odd[PHILOX_ROUNDS];
    explicit KeySchedule(uint64_t key) {
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        for (int round = 0; round < PHILOX_ROUNDS; ++round, k0 += PHILOX_W0, k1 += PHILOX_W1) {
            even[round] = k0;
            odd[round] = k1;
        }
    }
};

// The rounds of N vectors of Philox counters, in place. The upper halves of the 64-bit lanes hold rubbish that no multiplication
// reads.
template <int N>
HWSIM_INLINE void philox_rounds(const KeySchedule &keys, VL *v0, VL *v1, VL *v2, VL *v3) {
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; ++round) {
#pragma GCC unroll 16
        for (int h = 0; h < N; ++h) {
            const VL p0 = multiply_low(v0[h], PHILOX_M0), p1 = multiply_low(v2[h], PHILOX_M1);
            v0[h] = xor3(p1 >> 32, v1[h], keys.even[round]);
            v1[h] = p1;
            v2[h] = xor3(p0 >> 32, v3[h], keys.odd[round]);
            v3[h] = p0;
        }
    }
}

// Words of the groups group[0], group[1], ...: words[g * UNITS ...]. Several at a time, as one waits long for its own rounds.
template <int GROUPS>
HWSIM_INLINE void random_words_at(const KeySchedule &keys, const uint64_t *group, uint32_t c2, uint32_t c3, VU *words) {
    constexpr int N = GROUPS * HALF;
    VL lane;
    for (int i = 0; i < LANES / 2; ++i) lane[i] = (uint64_t)i;
    VL v0[N], v1[N], v2[N], v3[N];
#pragma GCC unroll 16
    for (int h = 0; h < N; ++h) {
        v0[h] = lane + (group[h / HALF] * 8 + (uint64_t)(h % HALF) * (LANES / 2));
        v1[h] = v0[h] >> 32;
        v2[h] = VL{} + (uint64_t)c2;
        v3[h] = VL{} + (uint64_t)c3;
    }
    philox_rounds<N>(keys, v0, v1, v2, v3);
#pragma GCC unroll 16
    for (int h = 0; h < N; ++h) {
        VU *to = words + h / HALF * UNITS + h % HALF;
        to[0] = lower_halves(v0[h], v2[h]);
        to[HALF] = lower_halves(v1[h], v3[h]);
    }
}

// Words of GROUPS groups from `group` on.
template <int GROUPS>
HWSIM_INLINE void random_words(const KeySchedule &keys, uint64_t group, uint32_t c2, uint32_t c3, VU *words) {
    uint64_t groups[GROUPS];
    for (int g = 0; g < GROUPS; ++g) groups[g] = group + (uint64_t)g;
    random_words_at<GROUPS>(keys, groups, c2, c3, words);
}

// -2 ln(x 2^-SCALE) of positive normal floats: x 2^-SCALE = 2^e (1 + t), t in [-0.29, 0.41]; polynomial t P(t) by minimax fit,
// error 2e-7.
template <int SCALE = 0>
HWSIM_INLINE V minus_two_log(V x) {
    const VI above = (VI)x - (0x3F3504F3 + (SCALE << 23)), exponent = above >> 23;
    const V t = (V)((above & 0x7FFFFF) + 0x3F3504F3) - 1.0f;
    V y = t * 0.20757167041301727f - 0.3267618715763092f;
    y = y * t + 0.3442489206790924f;
    y = y * t - 0.39768484234809875f;
    y = y * t + 0.49943119287490845f;
    y = y * t - 0.6667121648788452f;
    y = y * t + 1.000006914138794f;
    y = y * t - 1.9999998807907104f;
    return y * t + to_float(exponent) * -1.3862943611198906f;
}

// 2^x with relative error 2e-7; the argument is cut at +-126, so the result is finite and normal. Minimax fit on [-1/2, 1/2].
HWSIM_INLINE V power_of_two(V x) {
    x = minimum(maximum(x, splat(-126.0f)), splat(126.0f));
    const V n = (x + 12582912.0f) - 12582912.0f;
    const V f = x - n, square = f * f;
    // Pairs first: the wait from pulse to pulse is the length of this chain.
    const V low = f * 0.6931469440460205f + 1.0000001192092896f;
    const V middle = f * 0.05550713464617729f + 0.24022120237350464f;
    const V high = f * 0.0013276466634124517f + 0.009675540961325169f;
    const V y = (high * square + middle) * square + low;
    return (V)((VI)y + (to_int(n) << 23));
}

// Box-Muller on N pairs of vectors, in place. The first words of a pair give the radius (31 bits: up to 6.66 sigma), the second
// an angle within +-pi/4, an exchange of the two results and the sign of the cosine, which together cover the circle evenly.
// Sine and cosine by minimax fits, error 6e-7.
template <int N>
HWSIM_INLINE void box_muller(const VU *radius, const VU *angle, V *first, V *second) {
    V r[N];
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) r[i] = minus_two_log<31>(to_float((VI)(radius[i] >> 1)) + 0.5f);
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
        r[i] = square_root(r[i]);
        const V t = to_float((VI)(angle[i] << 2)) * 3.6572951981e-10f, q = t * t;
        const V sine = ((q * 0.008121557533740997f - 0.16660161316394806f) * q + 0.9999949932098389f) * t;
        V cosine = ((q * -0.0013585909036919475f + 0.041655026376247406f) * q - 0.4999985694885254f) * q + 1.0f;
        cosine = (V)((VU)cosine ^ (angle[i] & 0x80000000u));
        const Mask exchange = has_bit(angle[i], 0x40000000u);
        first[i] = r[i] * select(exchange, sine, cosine);
        second[i] = r[i] * select(exchange, cosine, sine);
    }
}

// Groups computed together. Words: as many chains of rounds as the registers hold. Normals: more, as their chains are longer.
constexpr int AT_ONCE = HWSIM_ISA == 512 ? 4 : 1, NORMALS_AT_ONCE = HWSIM_ISA == 512 ? 8 : 1;

template <int GROUPS>
HWSIM_INLINE void normal_block(const KeySchedule &keys, uint64_t group, uint32_t c2, uint32_t c3, float *out) {
    constexpr int N = GROUPS * HALF;
    VU words[GROUPS * UNITS], radius[N], angle[N];
    V first[N], second[N];
    constexpr int STEP = GROUPS < AT_ONCE ? GROUPS : AT_ONCE;
#pragma GCC unroll 1
    for (int g = 0; g < GROUPS; g += STEP) random_words<STEP>(keys, group + (uint64_t)g, c2, c3, words + g * UNITS);
    for (int i = 0; i < N; ++i) {
        radius[i] = words[i / HALF * UNITS + i % HALF];
        angle[i] = words[i / HALF * UNITS + HALF + i % HALF];
    }
    box_muller<N>(radius, angle, first, second);
    for (int i = 0; i < N; ++i) {
        float *to = out + i / HALF * BLOCK + i % HALF * LANES;
        store(to, first[i]);
        store(to + BLOCK / 2, second[i]);
    }
}

template <int GROUPS>
HWSIM_INLINE void normal_blocks(const KeySchedule &keys, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out) {
    int64_t g = 0;
    for (; g + GROUPS <= groups; g += GROUPS) normal_block<GROUPS>(keys, group + (uint64_t)g, c2, c3, out + g * BLOCK);
    if constexpr (GROUPS > 1) normal_blocks<GROUPS / 2>(keys, group + (uint64_t)g, c2, c3, groups - g, out + g * BLOCK);
}

static inline void normal_groups(const KeySchedule &keys, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out) {
    normal_blocks<NORMALS_AT_ONCE>(keys, group, c2, c3, groups, out);
}

static inline void draw_normals(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out) {
    normal_groups(KeySchedule(key), group, c2, c3, groups, out);
}

static inline void draw_words(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, uint32_t *out) {
    const KeySchedule keys(key);
    for (int64_t g = 0; g < groups; ++g) {
        VU words[UNITS];
        random_words<1>(keys, group + (uint64_t)g, c2, c3, words);
        for (int u = 0; u < UNITS; ++u) store(out + g * BLOCK + u * LANES, words[u]);
    }
}

// The normals of one stream in order, buffered; `position` is the ordinal of the next one.
class NormalStream {
public:
    NormalStream(const KeySchedule &keys, uint32_t row, uint64_t position)
        : keys_(keys), row_(row), group_(position / BLOCK), skip_((int)(position % BLOCK)) {}

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
        normal_groups(keys_, group_, row_, 0, batch_, buffer_ + left);
        group_ += (uint64_t)batch_;
        begin_ = 0;
        end_ = left + batch_ * BLOCK;
        if (fresh_) begin_ = skip_;
        fresh_ = false;
        batch_ = batch_ < CAPACITY / BLOCK ? batch_ * 2 : batch_;
    }

    const KeySchedule &keys_;
    uint32_t row_;
    uint64_t group_;
    int begin_ = 0, end_ = 0, skip_, batch_ = 2;
    bool fresh_ = true;
    alignas(64) float buffer_[CAPACITY + 2 * BLOCK];
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
