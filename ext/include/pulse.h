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

// The weights of BLOCKS blocks before their first pulse, after it, after the second, ...
struct BlockHistory {
    const float *weight;
    int32_t rounds;          // most pulses of a device
    const float *final_draw; // the draw behind the apparent weight that stays
    const float *apparent;   // apparent weights before; null without write noise
};

// Writes the pulses of BLOCKS blocks of devices, whose first columns are `cols`, into the log, device by device.
template <int BLOCKS>
__attribute__((noinline)) static void log_blocks(const RowWork &work, const CountGate &gate, const int64_t *cols, const VI *counts,
                                                 const uint32_t *up, const BlockHistory &history) {
    int32_t count[BLOCK * BLOCKS];
    uint64_t pulsed = 0;
    for (int u = 0; u < UNITS * BLOCKS; ++u) {
        store(count + u * LANES, counts[u]);
        pulsed |= (uint64_t)bits(greater(counts[u], VI{})) << (u * LANES);
    }
    const int64_t left = work.probe->col_begin, right = work.probe->col_end;
    Buffer<RawPulse> &log = work.log->pulses;
    RawPulse *const begin = log.room((size_t)__builtin_popcountll(pulsed) * (size_t)history.rounds), *to = begin;
    for (; pulsed; pulsed &= pulsed - 1) {
        const int i = __builtin_ctzll(pulsed);
        const int64_t at = cols[i / BLOCK * UNITS] + i % BLOCK, column = work.columns ? work.columns[at] : at;
        if (column < left || column >= right) continue;
        const bool is_up = up[i / BLOCK] >> (i % BLOCK) & 1;
        const int32_t line = (int32_t)(is_up ? column : ~column);
        const uint32_t moment = work.moment[is_up ? 0 : 1] + (uint32_t)gate.first_slot;
        uint32_t both = gate.cols ? gate.cols[at] & gate.row : 0;
        float old = history.apparent ? history.apparent[i] : history.weight[i];
        int32_t round = 0;
        do {
            float now = history.weight[(round + 1) * BLOCK * BLOCKS + i];
            if (history.apparent) {
                const uint64_t place = work.writes->position() * (uint64_t)work.cells->stride + (uint64_t)at;
                const float z = round + 1 == count[i] ? history.final_draw[i]
                                                      : log_normal_draw(*work.cells, work.row, place * 64 + (uint64_t)(round % 64));
                now += work.cells->write_noise * z;
            }
            *to++ = {moment + (uint32_t)(gate.cols ? __builtin_ctz(both) : round), line, now - old, now};
            old = now;
            both &= both - 1;
        } while (++round < count[i]);
    }
    log.add((size_t)(to - begin));
}

// Adds the pulses of N vectors of devices to the counters of each device.
template <int N>
__attribute__((noinline)) static void count_pulses(const RowWork &work, const int64_t *col, const VI *counts, const uint32_t *up) {
    uint32_t *ups = work.cells->pulse_counts + work.row * work.cells->stride;
    uint32_t *downs = ups + work.cells->rows * work.cells->stride;
    for (int u = 0; u < N; ++u) {
        const Mask m = from_bits(up[u / UNITS] >> (u % UNITS * LANES));
        if (!work.columns) {
            store(ups + col[u], load<VI>(ups + col[u]) + select(m, counts[u], VI{}));
            store(downs + col[u], load<VI>(downs + col[u]) + select(m, VI{}, counts[u]));
            continue;
        }
        const VI to_downs = splat((int32_t)(downs - ups));
        add_at(ups, load<VI>(work.columns + col[u]) + select(m, VI{}, to_downs), counts[u], greater(counts[u], VI{}));
    }
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
    if (work.cells->pulse_counts) count_pulses<N>(work, col, counts, up);
    float final_draw[BLOCK * BLOCKS], apparent[BLOCK * BLOCKS];
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
                store(final_draw + u * LANES, write_draw[u]);
                store(apparent + u * LANES, load<V>(work.apparent + col[u]));
            }
        }
        work.writes->consume(written);
    }
    int32_t round = 0;
    if constexpr (LOG) {
        float *history = work.log->history.room(BLOCK * BLOCKS);
        for (int u = 0; u < N; ++u) store(history + u * LANES, w[u]);
        work.log->history.add(BLOCK * BLOCKS);
    }
    for (;; ++round) {
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
                passed[u] = passed[u] + select(pulsed[u], w[u], V{});
            }
            if (NOISE) work.pulses->consume(used);
        }
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) w[u] = next[u];
        if constexpr (LOG) {
            float *history = work.log->history.room(BLOCK * BLOCKS);
            for (int u = 0; u < N; ++u) store(history + u * LANES, w[u]);
            work.log->history.add(BLOCK * BLOCKS);
        }
    }
    if constexpr (LOG) {
        log_blocks<BLOCKS>(work, gate, col, counts, up, {work.log->history.data(), round, final_draw, WRITE ? apparent : nullptr});
        work.log->history.clear();
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
    for (; b < n_blocks; ++b) pulse_blocks<Law, Gate, 1, NOISE, WRITE, LOG>(law, gate, work, blocks + b, &sums);
    sums.add_to(totals);
}

// The common case: stochastic trains, nothing logged.
template <class Law>
static void pulse_row(const Law &law, const TrainGate &gate, const RowWork &work, const int32_t *blocks, int64_t n_blocks, RowTotals *totals) {
    const bool noise = law.draws(), write = work.apparent != nullptr;
    if (noise && write) return pulse_line<Law, TrainGate, true, true, false>(law, gate, work, blocks, n_blocks, totals);
    if (noise) return pulse_line<Law, TrainGate, true, false, false>(law, gate, work, blocks, n_blocks, totals);
    if (write) return pulse_line<Law, TrainGate, false, true, false>(law, gate, work, blocks, n_blocks, totals);
    return pulse_line<Law, TrainGate, false, false, false>(law, gate, work, blocks, n_blocks, totals);
}

template <class Law>
static void pulse_row(const Law &law, const CountGate &gate, const RowWork &work, const int32_t *blocks, int64_t n_blocks, RowTotals *totals) {
    const bool noise = law.draws(), write = work.apparent != nullptr, log = work.log != nullptr;
    switch ((noise ? 4 : 0) | (write ? 2 : 0) | (log ? 1 : 0)) {
        case 0: return pulse_line<Law, CountGate, false, false, false>(law, gate, work, blocks, n_blocks, totals);
        case 1: return pulse_line<Law, CountGate, false, false, true>(law, gate, work, blocks, n_blocks, totals);
        case 2: return pulse_line<Law, CountGate, false, true, false>(law, gate, work, blocks, n_blocks, totals);
        case 3: return pulse_line<Law, CountGate, false, true, true>(law, gate, work, blocks, n_blocks, totals);
        case 4: return pulse_line<Law, CountGate, true, false, false>(law, gate, work, blocks, n_blocks, totals);
        case 5: return pulse_line<Law, CountGate, true, false, true>(law, gate, work, blocks, n_blocks, totals);
        case 6: return pulse_line<Law, CountGate, true, true, false>(law, gate, work, blocks, n_blocks, totals);
        default: return pulse_line<Law, CountGate, true, true, true>(law, gate, work, blocks, n_blocks, totals);
    }
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
