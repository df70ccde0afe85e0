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

// Probabilities of a block of lines with the given values; lines beyond `n` and lines of the other sign never fire.
static void block_probabilities(const TrainSide &side, const float *in, int64_t n, int64_t block, uint32_t low, uint32_t high, double gain,
                                double *probability) {
    if (side.resolution > 0) {
        uint32_t words[BLOCK] = {};
        if (side.stochastic_rounding) draw_words(side.key_rounding, (uint64_t)block, low, high, 1, words);
        for (int i = 0; i < BLOCK; ++i) {
            const double round_up = side.stochastic_rounding ? (double)((float)(words[i] >> 8) * 5.9604644775390625e-8f) : -1.0;
            probability[i] = i < n ? fire_probability(in[i], gain, side.resolution, round_up) : 0;
        }
    } else {
        for (int i = 0; i < BLOCK; ++i) {
            const double p = gain * (double)__builtin_fabsf(in[i]);
            probability[i] = p < 1 ? p : 1;
        }
    }
    if (side.keep)
        for (int i = 0; i < BLOCK; ++i) probability[i] = (in[i] < 0) == (side.keep < 0) ? probability[i] : 0;
}

// One bit for each value of a block that is not zero.
HWSIM_INLINE uint32_t nonzero(const uint32_t *values) {
    uint32_t found = 0;
    for (int u = 0; u < UNITS; ++u) {
        const VI v = load<VI>(values + u * LANES);
        found |= (bits(greater(v, VI{})) | bits(greater(VI{}, v))) << (u * LANES);
    }
    return found;
}

// Blocks whose trains are drawn together, and their slots in order of block and slot.
struct DrawnBlocks {
    static constexpr int MOST = 16;
    int32_t limit[MOST][BLOCK];
    int64_t block[MOST];
    int count = 0;
};

// The next slot to draw: of the drawn block `which`.
struct NextSlot {
    int which = 0;
    int32_t slot = 0;
};

// A line fires when 31 random bits are below p 2^31, that is when they do not exceed `limit`. Several slots at a time.
template <int SLOTS>
HWSIM_INLINE void draw_slots(const DrawnBlocks &drawn, const KeySchedule &keys, uint64_t side, uint32_t low, uint32_t high, int32_t bl,
                             int64_t pitch, NextSlot *next, uint32_t *masks) {
    uint64_t groups[SLOTS];
    int which[SLOTS];
    int32_t slot[SLOTS];
    for (int k = 0; k < SLOTS; ++k) {
        which[k] = next->which;
        slot[k] = next->slot;
        groups[k] = side + (uint64_t)drawn.block[which[k]] * (uint64_t)bl + (uint64_t)slot[k];
        if (++next->slot == bl) *next = {next->which + 1, 0};
    }
    VU words[SLOTS * UNITS];
    random_words_at<SLOTS>(keys, groups, low, high, words);
    for (int k = 0; k < SLOTS; ++k) {
        uint32_t *to = masks + slot[k] / 32 * pitch + drawn.block[which[k]] * BLOCK;
        const int32_t bit = (int32_t)(1u << (slot[k] % 32));
        for (int u = 0; u < UNITS; ++u) {
            const Mask fires = not_greater((VI)(words[k * UNITS + u] >> 1), load<VI>(drawn.limit[which[k]] + u * LANES));
            store(to + u * LANES, load<VI>(to + u * LANES) | select(fires, splat(bit), VI{}));
        }
    }
}

static void draw_blocks(const DrawnBlocks &drawn, const TrainSide &side, const KeySchedule &keys, uint32_t low, uint32_t high, int32_t bl,
                        int64_t lines, int64_t pitch, uint32_t *masks, uint32_t *firing, uint32_t *fires) {
    const int64_t segments = (bl + 31) / 32;
    for (int b = 0; b < drawn.count; ++b)
        for (int64_t segment = 0; segment < segments; ++segment)
            std::memset(masks + segment * pitch + drawn.block[b] * BLOCK, 0, BLOCK * sizeof(uint32_t));
    const int64_t items = (int64_t)drawn.count * bl;
    const uint64_t first = (uint64_t)side.index << 58;
    NextSlot next;
    int64_t item = 0;
    for (; item + AT_ONCE <= items; item += AT_ONCE) draw_slots<AT_ONCE>(drawn, keys, first, low, high, bl, pitch, &next, masks);
    for (; item < items; ++item) draw_slots<1>(drawn, keys, first, low, high, bl, pitch, &next, masks);
    for (int b = 0; b < drawn.count; ++b) {
        const int64_t begin = drawn.block[b] * BLOCK, n = lines - begin < BLOCK ? lines - begin : BLOCK;
        VI count[UNITS] = {};
        uint32_t ever = 0;
        for (int64_t segment = 0; segment < segments; ++segment) {
            const uint32_t *mask = masks + segment * pitch + begin, any = nonzero(mask);
            firing[segment * (pitch / BLOCK) + drawn.block[b]] = any;
            ever |= any;
            for (int u = 0; u < UNITS; ++u) count[u] += popcount(load<VU>(mask + u * LANES));
        }
        if (!ever) continue;
        if (n == BLOCK) {
            for (int u = 0; u < UNITS; ++u) store(fires + begin + u * LANES, load<VI>(fires + begin + u * LANES) + count[u]);
            continue;
        }
        int32_t fired[BLOCK];
        for (int u = 0; u < UNITS; ++u) store(fired + u * LANES, count[u]);
        for (int64_t i = 0; i < n; ++i) fires[begin + i] += (uint32_t)fired[i];
    }
}

// Values of the block of lines that begins at `begin`, padded with zeros.
HWSIM_INLINE const float *padded_block(const float *values, int64_t begin, int64_t lines, float *room) {
    if (lines - begin >= BLOCK) return values + begin;
    for (int64_t i = 0; i < BLOCK; ++i) room[i] = begin + i < lines ? values[begin + i] : 0.0f;
    return room;
}

// A line of probability p fires when 31 random bits do not exceed this.
HWSIM_INLINE void firing_limits(const double *probability, int32_t *limit) {
    for (int i = 0; i < BLOCK; ++i) {
        limit[i] = (int32_t)(probability[i] * 2147483648.0 - 1.0);
        limit[i] = probability[i] > 0 ? limit[i] : -1;
    }
}

// Trains of `lines` lines, `bl` slots, as masks of 32 slots: masks[segment * pitch + line]; bit t = the line fires in slot t.
// Trains that are not random take one segment, of counts or of float32 probabilities. `pitch` is a multiple of 32 and at least
// `lines`. `negative` has one bit a line, `firing` one for each segment and line that fires in it; masks are written only of
// blocks in which a line may fire. The number of pulses on each line is added to `fires`.
static void draw_trains(const TrainSide &side, const float *values, int64_t lines, int64_t pitch, uint64_t sample, int32_t bl, double gain,
                        uint32_t *masks, uint32_t *negative, uint32_t *firing, uint32_t *fires) {
    const uint32_t low = (uint32_t)sample, high = (uint32_t)(sample >> 32);
    const KeySchedule keys(side.key);
    const bool random = side.kind == TrainKind::random;
    std::memset(firing, 0, sizeof(uint32_t) * (size_t)((random ? (bl + 31) / 32 : 1) * (pitch / BLOCK)));
    DrawnBlocks drawn;
    for (int64_t begin = 0; begin < pitch; begin += BLOCK) {
        float room[BLOCK];
        const float *in = padded_block(values, begin, lines, room);
        uint32_t minus = 0, plus = 0;
        for (int u = 0; u < UNITS; ++u) {
            const V v = load<V>(in + u * LANES);
            minus |= bits(less(v, V{})) << (u * LANES);
            plus |= bits(less(V{}, v)) << (u * LANES);
        }
        negative[begin / BLOCK] = minus;
        if (!(minus | plus)) continue;
        const int64_t n = lines - begin < BLOCK ? lines - begin : BLOCK;
        double probability[BLOCK];
        block_probabilities(side, in, n, begin / BLOCK, low, high, gain, probability);
        if (random) {
            firing_limits(probability, drawn.limit[drawn.count]);
            drawn.block[drawn.count++] = begin / BLOCK;
            if (drawn.count == DrawnBlocks::MOST) {
                draw_blocks(drawn, side, keys, low, high, bl, lines, pitch, masks, firing, fires);
                drawn.count = 0;
            }
            continue;
        }
        std::memset(masks + begin, 0, BLOCK * sizeof(uint32_t));
        for (int64_t i = 0; i < n; ++i) {
            const float share = (float)probability[i];
            masks[begin + i] = (uint32_t)__builtin_rint((double)bl * probability[i]);
            fires[begin + i] += masks[begin + i];
            if (side.kind == TrainKind::implicit) std::memcpy(masks + begin + i, &share, sizeof share);
        }
        firing[begin / BLOCK] = nonzero(masks + begin);
    }
    draw_blocks(drawn, side, keys, low, high, bl, lines, pitch, masks, firing, fires);
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
