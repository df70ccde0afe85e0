// The pulse loop. Rows are independent; within a row, samples and segments come in order, and each coincidence is one pulse.
// A block of 32 devices (for some laws two blocks) takes its coincidences in rounds: round r gives every device that has more
// than r of them one pulse. Normals are handed out per row in that order, so they depend on neither threads nor logs.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

// Coincidences of one row with one segment of stochastic trains.
struct TrainGate {
    const uint32_t *cols;
    const uint32_t *negative;
    uint32_t row, flip;
    int32_t first_slot;
    HWSIM_INLINE VI counts(const TrainGate &g, int64_t col) { return popcount(load<VU>(g.cols + col) & g.row); }
    HWSIM_INLINE uint32_t up(const TrainGate &g, int64_t col) { return g.negative[col / BLOCK] ^ g.flip; }
    int32_t slot(int64_t col, int nth) const {
        uint32_t both = cols[col] & row;
        for (; nth > 0; --nth) both &= both - 1;
        return first_slot + __builtin_ctz(both);
    }
};

// Coincidences from mean counts: round(c_x c_d / BL), ties to even.
struct MeanGate {
    const uint32_t *cols;
    const uint32_t *negative;
    float row, bl;
    uint32_t flip;
    HWSIM_INLINE VI counts(const MeanGate &g, int64_t col) { return to_int(round_even(to_float(load<VI>(g.cols + col)) * g.row / g.bl)); }
    HWSIM_INLINE uint32_t up(const MeanGate &g, int64_t col) { return g.negative[col / BLOCK] ^ g.flip; }
    int32_t slot(int64_t, int nth) const { return nth; }
};

// Coincidences from probabilities: round(BL p_x p_d), ties to even.
struct ImplicitGate {
    const uint32_t *cols;
    const uint32_t *negative;
    float scaled; // BL p_d
    uint32_t flip;
    HWSIM_INLINE VI counts(const ImplicitGate &g, int64_t col) { return to_int(round_even(load<V>(g.cols + col) * g.scaled)); }
    HWSIM_INLINE uint32_t up(const ImplicitGate &g, int64_t col) { return g.negative[col / BLOCK] ^ g.flip; }
    int32_t slot(int64_t, int nth) const { return nth; }
};

// Given polarities -1, 0, +1 of one row.
struct PolarityGate {
    const int32_t *polarity;
    HWSIM_INLINE VI counts(const PolarityGate &g, int64_t col) {
        VI p = load<VI>(g.polarity + col);
        return select(greater(p, VI{}), p, -p);
    }
    HWSIM_INLINE uint32_t up(const PolarityGate &g, int64_t col) {
        uint32_t b = 0;
        for (int u = 0; u < UNITS; ++u) b |= bits(greater(load<VI>(g.polarity + col + u * LANES), VI{})) << (u * LANES);
        return b;
    }
    int32_t slot(int64_t, int nth) const { return nth; }
};

// Only the coincidences of one direction, each as an up pulse; `flip` turns the bits of that direction into ones.
template <class Gate>
struct OneSided {
    Gate gate;
    uint32_t flip;
    HWSIM_INLINE VI counts(const OneSided &g, int64_t col) {
        const uint32_t wanted = Gate::up(g.gate, col / BLOCK * BLOCK) ^ g.flip;
        return select(from_bits(wanted >> (col % BLOCK)), Gate::counts(g.gate, col), VI{});
    }
    HWSIM_INLINE uint32_t up(const OneSided &, int64_t) { return 0xFFFFFFFFu; }
    int32_t slot(int64_t col, int nth) const { return gate.slot(col, nth); }
};

struct RowWork {
    const Cells *cells;
    int64_t row;
    float *weight, *apparent;
    const float *params;
    NormalStream *pulses, *writes;
    const Probe *probe;
    std::vector<PulseRecord> *log;
    int64_t sample; // of the batch, for the log
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

template <class Gate>
static void log_round(const RowWork &work, const Gate &gate, int64_t col, int round, const VI *counts, uint32_t up, const V *before,
                      const V *after, const float *final_apparent, float *apparent) {
    float w0[BLOCK], w1[BLOCK];
    int32_t count[BLOCK];
    for (int u = 0; u < UNITS; ++u) {
        store(w0 + u * LANES, before[u]);
        store(w1 + u * LANES, after[u]);
        store(count + u * LANES, counts[u]);
    }
    for (int i = 0; i < BLOCK; ++i) {
        if (count[i] <= round) continue;
        float old = w0[i], now = w1[i];
        if (final_apparent) {
            old = apparent[i];
            const bool last = count[i] == round + 1;
            const uint64_t place = work.writes->position() * (uint64_t)work.cells->stride + (uint64_t)(col + i);
            const uint64_t ordinal = place * 64 + (uint64_t)(round % 64);
            const float z = last ? final_apparent[i] : log_normal_draw(*work.cells, work.row, ordinal);
            now += work.cells->write_noise * z;
            apparent[i] = now;
        }
        const int64_t column = work.columns ? work.columns[col + i] : col + i;
        if (column < work.probe->col_begin || column >= work.probe->col_end) continue;
        work.log->push_back({work.sample, gate.slot(col + i, round), (int32_t)work.row, (int32_t)column,
                             (int8_t)(up >> i & 1 ? 1 : -1), now - old, now});
    }
}

// Adds the pulses of N vectors of devices to the counters of each device.
template <int N>
__attribute__((noinline)) static void count_pulses(const RowWork &work, const int64_t *col, const VI *counts, const uint32_t *up) {
    uint32_t *ups = work.cells->pulse_counts + work.row * work.cells->stride;
    uint32_t *downs = ups + work.cells->rows * work.cells->stride;
    for (int u = 0; u < N; ++u) {
        const Mask m = from_bits(up[u / UNITS] >> (u % UNITS * LANES));
        store(ups + col[u], load<VI>(ups + col[u]) + select(m, counts[u], VI{}));
        store(downs + col[u], load<VI>(downs + col[u]) + select(m, VI{}, counts[u]));
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
            if (LOG) {
                store(final_draw + u * LANES, write_draw[u]);
                store(apparent + u * LANES, load<V>(work.apparent + col[u]));
            }
        }
        work.writes->consume(written);
    }
    for (int round = 0;; ++round) {
        Mask pulsed[N];
        uint32_t any = 0;
        for (int u = 0; u < N; ++u) {
            pulsed[u] = greater(counts[u], splat((int32_t)round));
            any |= bits(pulsed[u]);
        }
        if (!any) break;
        V next[N];
        for (int b = 0; b < BLOCKS; ++b) {
            const float *z = NOISE ? work.pulses->peek() : nullptr;
            int used = 0;
            for (int u = b * UNITS; u < (b + 1) * UNITS; ++u) {
                V draw = {};
                if (NOISE) {
                    draw = expand(pulsed[u], z + used);
                    used += __builtin_popcount(bits(pulsed[u]));
                }
                next[u] = select(pulsed[u], law.step(w[u], cell[u], draw), w[u]);
                passed[u] = passed[u] + select(pulsed[u], w[u], V{});
            }
            if (NOISE) work.pulses->consume(used);
            if (LOG)
                log_round(work, gate, col[b * UNITS], round, counts + b * UNITS, up[b], w + b * UNITS, next + b * UNITS,
                          WRITE ? final_draw + b * BLOCK : nullptr, apparent + b * BLOCK);
        }
        for (int u = 0; u < N; ++u) w[u] = next[u];
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

template <class Law, class Gate>
static void pulse_row(const Law &law, const Gate &gate, const RowWork &work, const int32_t *blocks, int64_t n_blocks, RowTotals *totals) {
    const bool noise = law.draws(), write = work.apparent != nullptr, log = work.log != nullptr;
    switch ((noise ? 4 : 0) | (write ? 2 : 0) | (log ? 1 : 0)) {
        case 0: return pulse_line<Law, Gate, false, false, false>(law, gate, work, blocks, n_blocks, totals);
        case 1: return pulse_line<Law, Gate, false, false, true>(law, gate, work, blocks, n_blocks, totals);
        case 2: return pulse_line<Law, Gate, false, true, false>(law, gate, work, blocks, n_blocks, totals);
        case 3: return pulse_line<Law, Gate, false, true, true>(law, gate, work, blocks, n_blocks, totals);
        case 4: return pulse_line<Law, Gate, true, false, false>(law, gate, work, blocks, n_blocks, totals);
        case 5: return pulse_line<Law, Gate, true, false, true>(law, gate, work, blocks, n_blocks, totals);
        case 6: return pulse_line<Law, Gate, true, true, false>(law, gate, work, blocks, n_blocks, totals);
        default: return pulse_line<Law, Gate, true, true, true>(law, gate, work, blocks, n_blocks, totals);
    }
}

template <class Law, class Gate>
static void pulse_side(const Law &law, const Gate &gate, Side side, const RowWork &work, const int32_t *blocks, int64_t n_blocks,
                       RowTotals *totals) {
    if (side == Side::both) return pulse_row(law, gate, work, blocks, n_blocks, totals);
    const OneSided<Gate> half{gate, side == Side::up ? 0u : 0xFFFFFFFFu};
    pulse_row(law, half, work, blocks, n_blocks, totals);
}

HWSIM_INLINE RowWork row_work(const Cells &cells, int planes, int64_t row, NormalStream *pulses, NormalStream *writes, const Probe &probe,
                              std::vector<PulseRecord> *log) {
    return {&cells, row, cells.weight + row * cells.stride, cells.apparent ? cells.apparent + row * cells.stride : nullptr,
            cells.params + row * planes * cells.stride, pulses, writes, &probe, probe.holds_row(row) ? log : nullptr, 0, cells.stride,
            nullptr};
}

// A row with few firing columns, each with one pulse at most: their devices are collected, pulsed side by side and put back.
// Normals go to devices in the order of columns, as they do block by block.
template <class Law>
static void pulse_few(const Law &law, const Trains &trains, int64_t segment, uint32_t mask, uint32_t flip, Side side, const RowWork &row,
                      RowTotals *totals) {
    alignas(64) float weight[FEW], apparent[FEW], params[FEW * (Law::PLANES > 0 ? Law::PLANES : 1)];
    static const int32_t blocks[] = {0, 1};
    const int64_t from = trains.few_begin[(size_t)segment], padded = trains.few_begin[(size_t)segment + 1] - from;
    const int32_t *columns = trains.few_columns.data() + from, n = trains.few_count[(size_t)segment];
    // Whole vectors, as they are read back as such; those without a firing column stay zero.
    for (int64_t k = 0; k < padded; k += LANES) {
        const bool used = k < n;
        const VI at = load<VI>(columns + k);
        store(weight + k, used ? gather(row.weight, at) : V{});
        for (int plane = 0; plane < Law::PLANES; ++plane)
            store(params + plane * padded + k, used ? gather(row.params + plane * row.stride, at) : V{});
    }
    RowWork work = row;
    if (row.apparent) {
        for (int64_t k = 0; k < padded; ++k) apparent[k] = row.apparent[columns[k]];
        work.apparent = apparent;
    }
    work.weight = weight;
    work.params = params;
    work.stride = padded;
    work.columns = columns;
    const TrainGate gate{trains.few_masks.data() + from, trains.few_negative.data() + from / BLOCK, mask, flip,
                         trains.segment_slot[(size_t)segment]};
    pulse_side(law, gate, side, work, blocks, padded / BLOCK, totals);
    for (int32_t k = 0; k < n; ++k) row.weight[columns[k]] = weight[k];
    if (row.apparent)
        for (int32_t k = 0; k < n; ++k) row.apparent[columns[k]] = apparent[k];
}

// All samples of `trains` on the rows [begin, end). `entries` gets the counts of each row and sample that fired.
template <class Law>
static void train_rows(const Cells &cells, const Trains &trains, int64_t begin, int64_t end, int64_t first_sample, bool negative_rate,
                       Side side, const Probe &probe, std::vector<RowEntry> *entries, std::vector<PulseRecord> *log) {
    const Law law(cells.scalars);
    for (int64_t row = begin; row < end; ++row) {
        const RowFire *fire = trains.row_fires.data() + trains.row_begin[(size_t)row];
        const RowFire *last = trains.row_fires.data() + trains.row_begin[(size_t)row + 1];
        if (fire == last) continue;
        NormalStream pulses(cells.key_pulse, (uint32_t)row, cells.pulse_position[row]);
        NormalStream writes(cells.key_write, (uint32_t)row, cells.write_position[row]);
        RowWork work = row_work(cells, planes_of(law), row, &pulses, &writes, probe, log);
        RowEntry entry{-1, {}};
        for (; fire < last; ++fire) {
            const int64_t segment = fire->segment, sample = trains.segment_sample[(size_t)segment];
            const int64_t from = trains.firing_begin[(size_t)segment], n_blocks = trains.firing_begin[(size_t)segment + 1] - from;
            if (n_blocks == 0) continue;
            if (sample != entry.sample) {
                if (entry.sample >= 0) entries->push_back(entry);
                entry = {sample, {}};
            }
            const int32_t *blocks = trains.firing_blocks.data() + from;
            const uint32_t *cols = trains.col_masks.data() + segment * cells.stride;
            const uint32_t *negative = trains.col_negative.data() + sample * trains.blocks;
            // Equal signs of x and d step down; `flip` turns the bits of negative columns into those of up pulses.
            const bool row_negative = trains.row_negative[(size_t)(sample * trains.row_words + row / 32)] >> (row % 32) & 1;
            const uint32_t flip = row_negative != negative_rate ? 0xFFFFFFFFu : 0u;
            work.sample = first_sample + sample;
            if (trains.kind == TrainKind::implicit) {
                float share;
                std::memcpy(&share, &fire->mask, sizeof share);
                const ImplicitGate gate{cols, negative, share * (float)trains.segment_bl[(size_t)segment], flip};
                pulse_side(law, gate, side, work, blocks, n_blocks, &entry.totals);
            } else if (trains.kind == TrainKind::mean_count) {
                const MeanGate gate{cols, negative, (float)fire->mask, (float)trains.segment_bl[(size_t)segment], flip};
                pulse_side(law, gate, side, work, blocks, n_blocks, &entry.totals);
            } else if (Law::PLANES > 0 && !cells.pulse_counts && trains.few_count[(size_t)segment] > 0 && (fire->mask & (fire->mask - 1)) == 0) {
                pulse_few(law, trains, segment, fire->mask, flip, side, work, &entry.totals);
            } else {
                const TrainGate gate{cols, negative, fire->mask, flip, trains.segment_slot[(size_t)segment]};
                pulse_side(law, gate, side, work, blocks, n_blocks, &entry.totals);
            }
        }
        if (entry.sample >= 0) entries->push_back(entry);
        cells.pulse_position[row] = pulses.position();
        cells.write_position[row] = writes.position();
    }
}

// One pulse of the given polarity (-1, 0, +1) on each device of the rows [begin, end); `polarity` is [rows][stride].
template <class Law>
static void polarity_rows(const Cells &cells, const int32_t *polarity, int64_t begin, int64_t end, const Probe &probe, RowTotals *totals,
                          std::vector<PulseRecord> *log) {
    const Law law(cells.scalars);
    std::vector<int32_t> blocks((size_t)(cells.stride / BLOCK));
    for (size_t b = 0; b < blocks.size(); ++b) blocks[b] = (int32_t)b;
    for (int64_t row = begin; row < end; ++row) {
        NormalStream pulses(cells.key_pulse, (uint32_t)row, cells.pulse_position[row]);
        NormalStream writes(cells.key_write, (uint32_t)row, cells.write_position[row]);
        const RowWork work = row_work(cells, planes_of(law), row, &pulses, &writes, probe, log);
        const PolarityGate gate{polarity + row * cells.stride};
        pulse_row(law, gate, work, blocks.data(), (int64_t)blocks.size(), totals + row);
        cells.pulse_position[row] = pulses.position();
        cells.write_position[row] = writes.position();
    }
}

static void update_rows(const Cells &cells, const Trains &trains, int64_t begin, int64_t end, int64_t first_sample, bool negative_rate,
                        Side side, const Probe &probe, std::vector<RowEntry> *entries, std::vector<PulseRecord> *log) {
    switch (cells.law) {
        case LawId::constant: return train_rows<ConstantLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::affine: return train_rows<AffineLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::additive: return train_rows<AdditiveLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::exponential: return train_rows<ExponentialLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::power: return train_rows<DistanceLaw<false>>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::exponential_response: return train_rows<DistanceLaw<true>>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::piecewise: return train_rows<PiecewiseLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
        case LawId::table: return train_rows<TableLaw>(cells, trains, begin, end, first_sample, negative_rate, side, probe, entries, log);
    }
}

static void pulse_rows(const Cells &cells, const int32_t *polarity, int64_t begin, int64_t end, const Probe &probe, RowTotals *totals,
                       std::vector<PulseRecord> *log) {
    switch (cells.law) {
        case LawId::constant: return polarity_rows<ConstantLaw>(cells, polarity, begin, end, probe, totals, log);
        case LawId::affine: return polarity_rows<AffineLaw>(cells, polarity, begin, end, probe, totals, log);
        case LawId::additive: return polarity_rows<AdditiveLaw>(cells, polarity, begin, end, probe, totals, log);
        case LawId::exponential: return polarity_rows<ExponentialLaw>(cells, polarity, begin, end, probe, totals, log);
        case LawId::power: return polarity_rows<DistanceLaw<false>>(cells, polarity, begin, end, probe, totals, log);
        case LawId::exponential_response: return polarity_rows<DistanceLaw<true>>(cells, polarity, begin, end, probe, totals, log);
        case LawId::piecewise: return polarity_rows<PiecewiseLaw>(cells, polarity, begin, end, probe, totals, log);
        case LawId::table: return polarity_rows<TableLaw>(cells, polarity, begin, end, probe, totals, log);
    }
}

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
