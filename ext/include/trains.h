// Drawing the pulse trains of the lines of one sample.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

// Probability that a line fires in one slot: min(1, gain |value|), first rounded to multiples of `resolution` if that is positive.
static inline double fire_probability(float value, double gain, double resolution, double round_up) {
    double p = gain * (double)__builtin_fabsf(value);
    if (resolution > 0) p = (round_up < 0 ? __builtin_rint(p / resolution) : __builtin_floor(p / resolution + round_up)) * resolution;
    return p < 1 ? p : 1;
}

// Trains of `lines` lines, `bl` slots, as masks of 32 slots: masks[segment * pitch + line]; bit t = the line fires in slot t.
// Trains that are not random take one segment, of counts or of float32 probabilities.
// `negative` has one bit a line, the number of pulses on each line is added to `fires`. `pitch` is a multiple of 32 and at least `lines`.
static void draw_trains(const TrainSide &side, const float *values, int64_t lines, int64_t pitch, uint64_t sample, int32_t bl, double gain,
                        uint32_t *masks, uint32_t *negative, uint32_t *fires) {
    const uint32_t low = (uint32_t)sample, high = (uint32_t)(sample >> 32);
    const KeySchedule keys(side.key);
    const int64_t segments = side.kind == TrainKind::random ? (bl + 31) / 32 : 1;
    for (int64_t begin = 0; begin < pitch; begin += BLOCK) {
        const int64_t n = lines - begin < BLOCK ? lines - begin : BLOCK;
        int32_t limit[BLOCK];
        uint32_t minus = 0, any = 0;
        uint32_t fired[BLOCK] = {};
        float rounding[BLOCK];
        if (side.stochastic_rounding) {
            uint32_t words[BLOCK];
            draw_words(side.key_rounding, (uint64_t)(begin / BLOCK), low, high, 1, words);
            for (int i = 0; i < BLOCK; ++i) rounding[i] = (float)(words[i] >> 8) * 5.9604644775390625e-8f;
        }
        double probability[BLOCK];
        if (side.resolution > 0) {
            for (int i = 0; i < n; ++i)
                probability[i] =
                    fire_probability(values[begin + i], gain, side.resolution, side.stochastic_rounding ? (double)rounding[i] : -1.0);
        } else {
            for (int i = 0; i < n; ++i) {
                const double p = gain * (double)__builtin_fabsf(values[begin + i]);
                probability[i] = p < 1 ? p : 1;
            }
        }
        for (int64_t i = n; i < BLOCK; ++i) probability[i] = 0;
        if (side.keep)
            for (int i = 0; i < n; ++i) probability[i] = (values[begin + i] < 0) == (side.keep < 0) ? probability[i] : 0;
        for (int i = 0; i < n; ++i) minus |= (uint32_t)(values[begin + i] < 0) << i;
        if (negative) negative[begin / BLOCK] = minus;
        if (side.kind != TrainKind::random) {
            for (int i = 0; i < BLOCK; ++i) {
                const float share = (float)probability[i];
                masks[begin + i] = fired[i] = (uint32_t)__builtin_rint((double)bl * probability[i]);
                if (side.kind == TrainKind::implicit) std::memcpy(masks + begin + i, &share, sizeof share);
            }
        } else {
            // A line fires when 31 random bits are below p 2^31, that is when they do not exceed `limit`; -1 never fires.
            for (int i = 0; i < BLOCK; ++i) {
                limit[i] = (int32_t)(probability[i] * 2147483648.0 - 1.0);
                limit[i] = probability[i] > 0 ? limit[i] : -1;
                any |= (uint32_t)(limit[i] >= 0);
            }
            VI count[UNITS] = {};
            for (int64_t segment = 0; segment < segments; ++segment) {
                VI mask[UNITS] = {};
                const int32_t first = (int32_t)(segment * 32), last = first + 32 < bl ? first + 32 : bl;
                if (any) {
                    VI bound[UNITS];
                    for (int u = 0; u < UNITS; ++u) bound[u] = load<VI>(limit + u * LANES);
                    const uint64_t group = ((uint64_t)side.index << 58) + (uint64_t)(begin / BLOCK) * (uint64_t)bl;
                    for (int32_t slot = first; slot < last; ++slot) {
                        VU words[UNITS];
                        random_words<1>(keys, group + (uint64_t)slot, low, high, words);
                        const int32_t bit = (int32_t)(1u << (slot - first));
                        for (int u = 0; u < UNITS; ++u)
                            mask[u] |= select(not_greater((VI)(words[u] >> 1), bound[u]), splat(bit), VI{});
                    }
                }
                for (int u = 0; u < UNITS; ++u) {
                    store(masks + segment * pitch + begin + u * LANES, mask[u]);
                    count[u] += popcount((VU)mask[u]);
                }
            }
            for (int u = 0; u < UNITS; ++u) store(fired + u * LANES, count[u]);
        }
        for (int64_t i = 0; i < n; ++i) fires[begin + i] += fired[i];
    }
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
