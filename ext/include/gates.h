// Coincidences: how many pulses each device of a row gets in one segment, and which of them step up.
// A gate answers counts(gate, col) for the LANES devices from `col` on and up(gate, col) for the block that begins there.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

// Coincidences of one row with one segment of stochastic trains.
struct TrainGate {
    const uint32_t *cols;
    const uint32_t *negative;
    uint32_t row, flip;
    HWSIM_INLINE VI counts(const TrainGate &g, int64_t col) { return popcount(load<VU>(g.cols + col) & g.row); }
    HWSIM_INLINE uint32_t up(const TrainGate &g, int64_t col) { return g.negative[col / BLOCK] ^ g.flip; }
};

// Coincidences that have been counted before, by any scheme.
struct CountGate {
    const int32_t *count;
    const uint32_t *direction; // one bit a device
    HWSIM_INLINE VI counts(const CountGate &g, int64_t col) { return load<VI>(g.count + col); }
    HWSIM_INLINE uint32_t up(const CountGate &g, int64_t col) { return g.direction[col / BLOCK]; }
};

// Coincidences of which a log wants to know the slots.
struct LogGate {
    const int32_t *count; // null: all coincidences of the trains count
    const uint32_t *direction;
    const uint32_t *cols; // null: pulses have no slots of trains, and follow each other
    uint32_t row, flip;
    int32_t first_slot;
    HWSIM_INLINE VI counts(const LogGate &g, int64_t col) {
        return g.count ? load<VI>(g.count + col) : popcount(load<VU>(g.cols + col) & g.row);
    }
    HWSIM_INLINE uint32_t up(const LogGate &g, int64_t col) { return g.direction[col / BLOCK] ^ g.flip; }
    // The slots in which a device is pulsed, of trains.
    uint32_t slots(int64_t device) const { return cols ? cols[device] & row : 0; }
    int32_t pulses(int64_t device) const { return count ? count[device] : __builtin_popcount(slots(device)); }
};

// One row in one segment: what it coincides with.
struct RowSegment {
    const uint32_t *cols, *negative;
    uint32_t row, flip; // `row`: slots, a count, or a float32 probability (TrainKind)
    int32_t bl, first_slot;
};

// Pulses of one row before they are handed to devices: of the blocks named only.
class CountedRow {
public:
    void resize(int64_t stride) {
        count_.resize((size_t)stride);
        direction_.resize((size_t)(stride / BLOCK));
    }

    CountGate count(TrainKind kind, Side side, const RowSegment &s, const int32_t *blocks, int64_t n_blocks) {
        float share;
        std::memcpy(&share, &s.row, sizeof share);
        const float scaled = share * (float)s.bl, mean = (float)s.row, bl = (float)s.bl;
        for (int64_t b = 0; b < n_blocks; ++b) {
            const int64_t begin = (int64_t)blocks[b] * BLOCK;
            const uint32_t up = s.negative[blocks[b]] ^ s.flip;
            const uint32_t kept = side == Side::both ? 0xFFFFFFFFu : side == Side::up ? up : ~up;
            for (int u = 0; u < UNITS; ++u) {
                const uint32_t *from = s.cols + begin + u * LANES;
                VI n;
                if (kind == TrainKind::random) n = popcount(load<VU>(from) & s.row);
                // Ties to even: round(c_x c_d / BL) and round(BL p_x p_d).
                else if (kind == TrainKind::mean_count) n = to_int(round_even(to_float(load<VI>(from)) * mean / bl));
                else n = to_int(round_even(load<V>(from) * scaled));
                store(count_.data() + begin + u * LANES, select(from_bits(kept >> (u * LANES)), n, VI{}));
            }
            direction_[(size_t)blocks[b]] = side == Side::both ? up : 0xFFFFFFFFu;
        }
        return {count_.data(), direction_.data()};
    }

    // Polarities -1, 0 and +1 of a whole row.
    CountGate polarity(const int32_t *polarity) {
        for (size_t b = 0; b < direction_.size(); ++b) {
            uint32_t up = 0;
            for (int u = 0; u < UNITS; ++u) {
                const int64_t at = (int64_t)b * BLOCK + u * LANES;
                const VI p = load<VI>(polarity + at);
                const Mask positive = greater(p, VI{});
                up |= bits(positive) << (u * LANES);
                store(count_.data() + at, select(positive, p, -p));
            }
            direction_[b] = up;
        }
        return {count_.data(), direction_.data()};
    }

private:
    std::vector<int32_t> count_;
    std::vector<uint32_t> direction_;
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
