// The pulse loop. Rows are independent; within a row, samples and segments come in order, and each coincidence is one pulse.
// A block of 32 devices (for some laws two blocks) takes its coincidences in rounds: round r gives every device that has more
// than r of them one pulse. Where few columns fire, the blocks are made of their devices alone (rows.h). Normals are handed out per
// row in that order, so they depend on neither threads nor logs.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

struct RowWork {
    const Cells *cells;
    int64_t row;
    float *weight, *apparent;
    const float *params;
    NormalStream *pulses, *writes;
    const Probe *probe;
    RawPulses *log;
    uint32_t moment[2]; // of the sample's first slot, for the log: of up and of down pulses
    int64_t stride; // of the parameter planes
    const int32_t *columns; // where the devices stand in the array; null: one after the other
};

struct RowSums {
    V weight[UNITS] = {};
    VI total[UNITS] = {}, up[UNITS] = {};
    void add_to(RowTotals *t) const {
        const int64_t all = sum_lanes(total), ups = sum_lanes(up);
        t->up += ups;
        t->down += all - ups;
        t->weight += sum_lanes(weight);
    }
};

// One normal for the log of an apparent weight that is overwritten before anything reads it: a function of its pulse's ordinal.
static inline float log_normal_draw(const Cells &cells, int64_t row, uint64_t ordinal) {
    float group[BLOCK];
    draw_normals(cells.key_log, ordinal / BLOCK, (uint32_t)row, 0, 1, group);
    return group[ordinal % BLOCK];
}

// Notes that the devices `m` of a vector were pulsed, the first of which stands at `col` and in the history at `at`.
HWSIM_INLINE void note_pulsed(RawPulses *log, Mask m, int64_t col, size_t at) {
    const VI lane = lane_numbers();
    compress(m, lane + splat((int32_t)col), log->device.room(LANES));
    compress(m, lane + splat((int32_t)at), log->at.room(LANES));
    const size_t n = (size_t)__builtin_popcount(bits(m));
    log->device.add(n);
    log->at.add(n);
}

// Writes the pulses of the devices that were noted into the log, device by device; from one weight in the history to the next it
// is `pitch` floats.
template <bool WRITE>
__attribute__((noinline)) static void log_devices(const RowWork &work, const LogGate &gate, int64_t pitch) {
    RawPulses &log = *work.log;
    const int64_t left = work.probe->col_begin, right = work.probe->col_end;
    const float *const history = log.history.data();
    for (size_t k = 0; k < log.device.size(); ++k) {
        const int64_t device = log.device.data()[k], column = work.columns ? work.columns[device] : device;
        if (column < left || column >= right) continue;
        const bool is_up = gate.up(gate, device) >> (device % BLOCK) & 1;
        const int32_t line = (int32_t)(is_up ? column : ~column), n = gate.pulses(device);
        const uint32_t moment = work.moment[is_up ? 0 : 1] + (uint32_t)gate.first_slot;
        uint32_t slots = gate.slots(device);
        const float *weight = history + log.at.data()[k];
        const float final_draw = WRITE ? weight[pitch] : 0.0f;
        float old = *weight;
        if (WRITE) weight += 2 * pitch;
        RawPulse *const to = log.pulses.room((size_t)n);
        for (int32_t round = 0; round < n; ++round, slots &= slots - 1) {
            weight += pitch;
            float now = *weight;
            if (WRITE) {
                const uint64_t place = work.writes->position() * (uint64_t)work.cells->stride + (uint64_t)device;
                const float z = round + 1 == n ? final_draw : log_normal_draw(*work.cells, work.row, place * 64 + (uint64_t)(round % 64));
                now += work.cells->write_noise * z;
            }
            to[round] = {moment + (uint32_t)(gate.cols ? __builtin_ctz(slots) : round), line, now - old, now};
            old = now;
        }
        log.pulses.add((size_t)n);
    }
    log.history.clear();
    log.device.clear();
    log.at.clear();
}

// Adds the pulses of a row to the counters of each device. A pass of its own, as it would take registers from the pulse loop.
template <class Gate>
__attribute__((noinline)) static void count_pulses(const Gate &gate, const RowWork &work, const int32_t *blocks, int64_t n_blocks) {
    uint32_t *ups = work.cells->pulse_counts + work.row * work.cells->stride;
    uint32_t *downs = ups + work.cells->rows * work.cells->stride;
    const VI to_downs = splat((int32_t)(downs - ups));
    for (int64_t b = 0; b < n_blocks; ++b) {
        const int64_t begin = (int64_t)blocks[b] * BLOCK;
        const uint32_t up = Gate::up(gate, begin);
        for (int u = 0; u < UNITS; ++u) {
            const int64_t col = begin + u * LANES;
            const VI counts = Gate::counts(gate, col);
            const Mask m = from_bits(up >> (u * LANES));
            if (work.columns) {
                add_at(ups, load<VI>(work.columns + col) + select(m, VI{}, to_downs), counts, greater(counts, VI{}));
            } else {
                store(ups + col, load<VI>(ups + col) + select(m, counts, VI{}));
                store(downs + col, load<VI>(downs + col) + select(m, VI{}, counts));
            }
        }
    }
}

// A bound on the pulses of a device.
template <class Gate>
HWSIM_INLINE int32_t most_pulses(const Gate &gate, const VI *counts, int n) {
    if constexpr (std::is_same_v<Gate, LogGate>) if (gate.cols) return 32;
    int32_t most = 0, count[LANES];
    for (int u = 0; u < n; ++u) {
        store(count, counts[u]);
        for (int i = 0; i < LANES; ++i) most = count[i] > most ? count[i] : most;
    }
    return most;
}

// Pulses on the devices of BLOCKS blocks, whose first columns are `cols`, interleaved round by round.
template <class Law, class Gate, int BLOCKS, bool NOISE, bool WRITE, bool LOG>
HWSIM_INLINE void pulse_blocks(const Law &law, const Gate &gate, const RowWork &work, const int32_t *blocks, RowSums *sums) {
    constexpr int N = UNITS * BLOCKS;
    const std::ptrdiff_t stride = work.stride;
    int64_t col[N];
    for (int u = 0; u < N; ++u) col[u] = (int64_t)blocks[u / UNITS] * BLOCK + u % UNITS * LANES;
    VI counts[N];
    uint32_t firing = 0;
    for (int u = 0; u < N; ++u) {
        counts[u] = Gate::counts(gate, col[u]);
        firing |= bits(greater(counts[u], VI{}));
    }
    if (!firing) return;
    uint32_t up[BLOCKS];
    for (int b = 0; b < BLOCKS; ++b) up[b] = Gate::up(gate, col[b * UNITS]);
    V w[N], passed[N] = {};
    typename Law::Cell cell[N];
    for (int u = 0; u < N; ++u) {
        const Mask m = from_bits(up[u / UNITS] >> (u % UNITS * LANES));
        w[u] = load<V>(work.weight + col[u]);
        cell[u] = law.load(work.params + col[u], stride, m);
        sums->total[u % UNITS] += counts[u];
        sums->up[u % UNITS] += select(m, counts[u], VI{});
    }
    // The history of the blocks: with write noise the apparent weights before and the draws behind those that stay, then the
    // weights before the first pulse, after it, after the second, ...
    constexpr int PITCH = BLOCK * BLOCKS;
    const size_t begin = LOG ? work.log->history.size() : 0;
    float *history = LOG ? work.log->history.room((size_t)PITCH * (size_t)(most_pulses(gate, counts, N) + 3)) : nullptr;
    V write_draw[N];
    int written = 0;
    if (WRITE) {
        for (int u = 0; u < N; ++u) {
            if (u % UNITS == 0) {
                work.writes->consume(written);
                written = 0;
            }
            const Mask m = greater(counts[u], VI{});
            write_draw[u] = expand(m, work.writes->peek() + written);
            written += __builtin_popcount(bits(m));
            if constexpr (LOG) {
                store(history + u * LANES, load<V>(work.apparent + col[u]));
                store(history + PITCH + u * LANES, write_draw[u]);
            }
        }
        work.writes->consume(written);
        if constexpr (LOG) history += 2 * PITCH;
    }
    if constexpr (LOG)
        for (int u = 0; u < N; ++u) store(history + u * LANES, w[u]);
    for (int round = 0;; ++round) {
        Mask pulsed[N];
        uint32_t any = 0;
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
            pulsed[u] = greater(counts[u], splat((int32_t)round));
            any |= bits(pulsed[u]);
        }
        if (!any) break;
        V next[N];
#pragma GCC unroll 2
        for (int b = 0; b < BLOCKS; ++b) {
            const float *z = NOISE ? work.pulses->peek() : nullptr;
            int used = 0;
#pragma GCC unroll 4
            for (int i = 0; i < UNITS; ++i) {
                const int u = b * UNITS + i;
                V draw = {};
                if (NOISE) {
                    draw = expand(pulsed[u], z + used);
                    used += __builtin_popcount(bits(pulsed[u]));
                }
                next[u] = select(pulsed[u], law.step(w[u], cell[u], draw), w[u]);
                passed[u] = add_where(pulsed[u], passed[u], w[u]);
            }
            if (NOISE) work.pulses->consume(used);
        }
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) w[u] = next[u];
        if constexpr (LOG) {
            history += PITCH;
            for (int u = 0; u < N; ++u) store(history + u * LANES, w[u]);
        }
    }
    if constexpr (LOG) {
        work.log->history.add((size_t)(history + PITCH - work.log->history.data()) - begin);
        for (int u = 0; u < N; ++u) note_pulsed(work.log, greater(counts[u], VI{}), col[u], begin + (size_t)(u * LANES));
        // The ordinals of normals that only the log sees are those of the block. Longer histories would not stay in the cache.
        if (WRITE || work.log->history.size() > RawPulses::HISTORY) log_devices<WRITE>(work, gate, PITCH);
    }
    for (int u = 0; u < N; ++u) {
        store(work.weight + col[u], w[u]);
        sums->weight[u % UNITS] = sums->weight[u % UNITS] + passed[u];
        if (WRITE) {
            float *to = work.apparent + col[u];
            store(to, select(greater(counts[u], VI{}), w[u] + write_draw[u] * work.cells->write_noise, load<V>(to)));
        }
    }
}

template <class Law, class Gate, bool NOISE, bool WRITE, bool LOG>
__attribute__((noinline)) static void pulse_line(const Law &law, const Gate &gate, const RowWork &work, const int32_t *blocks,
                                                 int64_t n_blocks, RowTotals *totals) {
    RowSums sums;
    int64_t b = 0;
    for (; b + Law::TOGETHER <= n_blocks; b += Law::TOGETHER)
        pulse_blocks<Law, Gate, Law::TOGETHER, NOISE, WRITE, LOG>(law, gate, work, blocks + b, &sums);
    if constexpr (LOG && Law::TOGETHER > 1) log_devices<WRITE>(work, gate, BLOCK * Law::TOGETHER);
    for (; b < n_blocks; ++b) pulse_blocks<Law, Gate, 1, NOISE, WRITE, LOG>(law, gate, work, blocks + b, &sums);
    if constexpr (LOG) log_devices<WRITE>(work, gate, BLOCK);
    sums.add_to(totals);
}

// Pulses of a row; those of a LogGate are logged.
template <class Law, class Gate>
static void pulse_row(const Law &law, const Gate &gate, const RowWork &work, const int32_t *blocks, int64_t n_blocks, RowTotals *totals) {
    constexpr bool LOG = std::is_same_v<Gate, LogGate>;
    if (work.cells->pulse_counts) count_pulses(gate, work, blocks, n_blocks);
    const bool noise = law.draws(), write = work.apparent != nullptr;
    if (noise && write) return pulse_line<Law, Gate, true, true, LOG>(law, gate, work, blocks, n_blocks, totals);
    if (noise) return pulse_line<Law, Gate, true, false, LOG>(law, gate, work, blocks, n_blocks, totals);
    if (write) return pulse_line<Law, Gate, false, true, LOG>(law, gate, work, blocks, n_blocks, totals);
    return pulse_line<Law, Gate, false, false, LOG>(law, gate, work, blocks, n_blocks, totals);
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
