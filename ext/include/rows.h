// One law over the rows of an array: all samples of a share, or one pulse of given polarity on every device.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

// Whether the parameters that lie together device by device are too many to stay in the second-level cache by themselves.
static inline bool is_far(const Cells &cells) {
    constexpr int64_t CACHED = 2 << 20;
    return cells.pitch > 0 && cells.rows * cells.stride * (cells.pitch + 1) * (int64_t)sizeof(float) >= CACHED;
}

// Has the devices that rows with few pulses will need fetched, a few at a time: more than the core can wait for at once would
// hold up the work in between. Does nothing for small arrays, and where a row that has been fetched fires again and again.
class FetchAhead {
public:
    static constexpr int AGAIN = 8; // firings of a row in a share, beyond which it is not fetched for each

    FetchAhead(const Cells &cells, const Trains &trains, int64_t begin, int64_t end)
        : cells_(cells), trains_(trains), next_(trains.row_fires.data() + trains.row_begin[(size_t)begin]),
          end_(trains.row_fires.data() + trains.row_begin[(size_t)end]) {
        if (!is_far(cells) || end_ - next_ > AGAIN * (end - begin)) next_ = end_;
    }

    // Goes on while not more than DISTANCE firings ahead of `now`.
    HWSIM_INLINE void some(FetchAhead *f, const RowFire *now) {
        if (f->next_ < f->end_ && f->next_ - now <= DISTANCE) f->fetch();
    }

private:
    static constexpr int DISTANCE = 6, DEVICES = 7;

    void fetch() {
        const int32_t *columns = trains_.few_columns.data() + trains_.few_begin[(size_t)next_->segment];
        const int32_t n = trains_.few_count[(size_t)next_->segment], last = done_ + DEVICES < n ? done_ + DEVICES : n;
        const float *weight = cells_.weight + next_->row * cells_.stride;
        const float *device = cells_.device_params + next_->row * cells_.stride * cells_.pitch;
        for (; done_ < last; ++done_) {
            __builtin_prefetch(device + (int64_t)columns[done_] * cells_.pitch);
            __builtin_prefetch(weight + columns[done_], 1);
        }
        if (done_ < n) return;
        done_ = 0;
        ++next_;
    }

    const Cells &cells_;
    const Trains &trains_;
    const RowFire *next_, *end_;
    int32_t done_ = 0;
};

// Has the devices of the next row fetched while a row that fires again and again is worked on, a part with each firing: they come
// from far away, and the first samples would wait for them. Does nothing for small arrays, and where no sample has few columns.
class NextRow {
public:
    NextRow(const Cells &cells, const Trains &trains, int64_t row) {
        const int64_t firings = trains.row_begin[(size_t)row + 1] - trains.row_begin[(size_t)row], next = (row + 1) * cells.stride;
        if (row + 1 == cells.rows || firings <= FetchAhead::AGAIN || trains.few_columns.empty() || !is_far(cells)) return;
        add(cells.device_params + next * cells.pitch, cells.pitch * cells.stride, firings);
        add(cells.weight + next, cells.stride, firings);
        if (cells.apparent) add(cells.apparent + next, cells.stride, firings);
        if (cells.pulse_counts) add((const float *)cells.pulse_counts + next, cells.stride, firings);
        if (cells.pulse_counts) add((const float *)cells.pulse_counts + next + cells.rows * cells.stride, cells.stride, firings);
    }

    void some() {
        for (int i = 0; i < spans_; ++i) {
            Span &s = span_[i];
            const char *const to = s.end - s.from < s.step ? s.end : s.from + s.step;
            for (; s.from < to; s.from += LINE) __builtin_prefetch(s.from, 0, 2);
        }
    }

private:
    static constexpr int LINE = 64;
    struct Span {
        const char *from, *end;
        int64_t step;
    };

    void add(const float *from, int64_t floats, int64_t firings) {
        const int64_t bytes = floats * (int64_t)sizeof(float);
        span_[spans_++] = {(const char *)from, (const char *)from + bytes, (bytes / firings / LINE + 1) * LINE};
    }

    Span span_[5];
    int spans_ = 0;
};

// What stays the same for all rows of a share.
template <class Law>
struct RowLoop {
    const Law &law;
    const RowJob &job;
    CountedRow *counted;
    FetchAhead *ahead;
};

HWSIM_INLINE RowWork row_work(const Cells &cells, int planes, int64_t row, NormalStream *pulses, NormalStream *writes, const Probe &probe,
                              RawPulses *log) {
    return {&cells, row, cells.weight + row * cells.stride, cells.apparent ? cells.apparent + row * cells.stride : nullptr,
            cells.params + row * planes * cells.stride, pulses, writes, &probe, probe.holds_row(row) ? log : nullptr, {0, 0}, cells.stride,
            nullptr};
}

// Pulses of one row in one segment.
template <class Law>
static void pulse_segment(const RowLoop<Law> &loop, const RowSegment &segment, const RowWork &work, const int32_t *blocks, int64_t n_blocks,
                          RowTotals *totals) {
    const TrainKind kind = loop.job.trains->kind;
    const bool all_trains = kind == TrainKind::random && loop.job.side == Side::both;
    if (all_trains && !work.log) {
        const TrainGate gate{segment.cols, segment.negative, segment.row, segment.flip};
        return pulse_row(loop.law, gate, work, blocks, n_blocks, totals);
    }
    if (all_trains) {
        const LogGate gate{nullptr, segment.negative, segment.cols, segment.row, segment.flip, segment.first_slot};
        return pulse_row(loop.law, gate, work, blocks, n_blocks, totals);
    }
    const CountGate counted = loop.counted->count(kind, loop.job.side, segment, blocks, n_blocks);
    if (!work.log) return pulse_row(loop.law, counted, work, blocks, n_blocks, totals);
    const bool random = kind == TrainKind::random;
    const LogGate gate{counted.count, counted.direction, random ? segment.cols : nullptr, segment.row, 0, random ? segment.first_slot : 0};
    pulse_row(loop.law, gate, work, blocks, n_blocks, totals);
}

// Collects the weights and the parameters of the devices of a row in LANES columns; FEW lies between two planes.
template <class Law>
HWSIM_INLINE void gather_devices(const RowWork &row, const int32_t *columns, bool used, float *weight, float *params) {
    constexpr std::ptrdiff_t pitch = FEW;
    if (!used) {
        store(weight, V{});
        for (int plane = 0; plane < Law::PLANES; ++plane) store(params + plane * pitch, V{});
        return;
    }
    const float *device = row.cells->device_params + row.row * row.cells->stride * row.cells->pitch;
    const VI at = load<VI>(columns);
    store(weight, gather(row.weight, at));
    if constexpr (PITCH<Law> == 8) {
        take_apart8([&](int i) { return device + (int64_t)columns[i] * 8; }, params, pitch);
    } else {
        for (int plane = 0; plane < Law::PLANES; ++plane) store(params + plane * pitch, gather(device, at * PITCH<Law> + plane));
    }
}

// A row with few firing columns: their devices are collected into blocks of 32, pulsed side by side and put back.
template <class Law>
static void pulse_few(const RowLoop<Law> &loop, const RowFire *fire, const RowSegment &segment, const RowWork &row, RowTotals *totals) {
    const int64_t index = fire->segment;
    static const int32_t blocks[FEW / BLOCK] = {0, 1, 2, 3, 4, 5, 6, 7};
    alignas(64) float weight[FEW], apparent[FEW], params[FEW * PITCH<Law>];
    const Trains &trains = *loop.job.trains;
    const int64_t from = trains.few_begin[(size_t)index], padded = trains.few_begin[(size_t)index + 1] - from;
    const int32_t *columns = trains.few_columns.data() + from, n = trains.few_count[(size_t)index];
    // Whole vectors, as they are read back as such; those without a firing column stay zero.
    for (int64_t k = 0; k < padded; k += LANES) {
        FetchAhead::some(loop.ahead, fire);
        gather_devices<Law>(row, columns + k, k < n, weight + k, params + k);
        FetchAhead::some(loop.ahead, fire);
    }
    RowWork work = row;
    if (row.apparent) {
        for (int64_t k = 0; k < padded; k += LANES) store(apparent + k, gather(row.apparent, load<VI>(columns + k)));
        work.apparent = apparent;
    }
    work.weight = weight;
    work.params = params;
    work.stride = FEW;
    work.columns = columns;
    RowSegment gathered = segment;
    gathered.cols = trains.few_masks.data() + from;
    gathered.negative = trains.few_negative.data() + from / BLOCK;
    FetchAhead::some(loop.ahead, fire);
    const size_t logged = row.log ? row.log->pulses.size() : 0;
    pulse_segment(loop, gathered, work, blocks, padded / BLOCK, totals);
    if (row.log) row.log->sort_segment(logged);
    FetchAhead::some(loop.ahead, fire);
    for (int32_t k = 0; k < n; k += LANES) {
        const int used = n - k < LANES ? n - k : LANES;
        scatter(row.weight, load<VI>(columns + k), load<V>(weight + k), used);
        if (row.apparent) scatter(row.apparent, load<VI>(columns + k), load<V>(apparent + k), used);
    }
}

// All samples of a share on one row; `entries` gets the counts of each sample that fired.
template <class Law>
static void train_row(const RowLoop<Law> &loop, RowWork *work, std::vector<RowEntry> *entries) {
    const Trains &trains = *loop.job.trains;
    const Cells &cells = *loop.job.cells;
    const int64_t row = work->row;
    std::optional<RowWatch> watch;
    if (loop.job.watch) watch.emplace(loop.job, *work);
    const RowFire *fire = trains.row_fires.data() + trains.row_begin[(size_t)row];
    const RowFire *last = trains.row_fires.data() + trains.row_begin[(size_t)row + 1];
    RowEntry entry{-1, {}};
    NextRow next(cells, trains, row);
    for (; fire < last; ++fire) {
        next.some();
        const int64_t index = fire->segment, sample = trains.segment_sample[(size_t)index];
        const int64_t from = trains.firing_begin[(size_t)index], n_blocks = trains.firing_begin[(size_t)index + 1] - from;
        if (n_blocks == 0) continue;
        if (sample != entry.sample) {
            if (entry.sample >= 0) entries->push_back(entry);
            entry = {sample, {}};
            if (watch) watch->start(sample);
        }
        // Equal signs of x and d step down; `flip` turns the bits of negative columns into those of up pulses.
        const bool row_negative = trains.row_negative[(size_t)(sample * trains.row_words + row / 32)] >> (row % 32) & 1;
        const RowSegment segment{trains.col_masks.data() + index * cells.stride, trains.col_negative.data() + sample * trains.blocks,
                                 fire->mask, row_negative != loop.job.negative_rate ? 0xFFFFFFFFu : 0u,
                                 trains.segment_bl[(size_t)index], trains.segment_slot[(size_t)index]};
        if (work->log) {
            work->moment[0] = loop.job.log->moment_of(sample, true);
            work->moment[1] = loop.job.log->moment_of(sample, false);
        }
        if constexpr (Law::PLANES > 0)
            if (trains.few_count[(size_t)index] > 0) {
                pulse_few(loop, fire, segment, *work, &entry.totals);
                continue;
            }
        pulse_segment(loop, segment, *work, trains.firing_blocks.data() + from, n_blocks, &entry.totals);
    }
    if (entry.sample >= 0) entries->push_back(entry);
    if (watch) watch->finish();
}

template <class Law>
static void train_rows(const RowJob &job, int64_t begin, int64_t end, std::vector<RowEntry> *entries, RawPulses *log) {
    const Cells &cells = *job.cells;
    const Law law(cells.scalars);
    if constexpr (Law::PLANES > 0)
        if (is_single_column<Law>(job)) return ColumnLoop<Law>(law, job).run(begin, end, entries);
    const KeySchedule pulse_keys(cells.key_pulse), write_keys(cells.key_write);
    CountedRow counted;
    counted.resize(cells.stride > FEW ? cells.stride : FEW);
    FetchAhead ahead(cells, *job.trains, begin, end);
    const RowLoop<Law> loop{law, job, &counted, &ahead};
    for (int64_t row = begin; row < end; ++row) {
        if (!job.watch && job.trains->row_begin[(size_t)row] == job.trains->row_begin[(size_t)row + 1]) continue;
        NormalStream pulses(pulse_keys, (uint32_t)row, cells.pulse_position[row]);
        NormalStream writes(write_keys, (uint32_t)row, cells.write_position[row]);
        RowWork work = row_work(cells, planes_of(law), row, &pulses, &writes, *job.probe, log);
        if (work.log) work.log->begin_row(row);
        train_row(loop, &work, entries);
        cells.pulse_position[row] = pulses.position();
        cells.write_position[row] = writes.position();
    }
}

// One pulse of the given polarity (-1, 0, +1) on each device of the rows [begin, end); `polarity` is [rows][stride].
template <class Law>
static void polarity_rows(const Cells &cells, const int32_t *polarity, int64_t begin, int64_t end, const Probe &probe, RowTotals *totals,
                          RawPulses *log) {
    const Law law(cells.scalars);
    const KeySchedule pulse_keys(cells.key_pulse), write_keys(cells.key_write);
    CountedRow counted;
    counted.resize(cells.stride);
    std::vector<int32_t> blocks((size_t)(cells.stride / BLOCK));
    for (size_t b = 0; b < blocks.size(); ++b) blocks[b] = (int32_t)b;
    for (int64_t row = begin; row < end; ++row) {
        NormalStream pulses(pulse_keys, (uint32_t)row, cells.pulse_position[row]);
        NormalStream writes(write_keys, (uint32_t)row, cells.write_position[row]);
        const RowWork work = row_work(cells, planes_of(law), row, &pulses, &writes, probe, log);
        if (work.log) work.log->begin_row(row);
        const CountGate gate = counted.polarity(polarity + row * cells.stride);
        if (work.log) {
            const LogGate logged{gate.count, gate.direction, nullptr, 0, 0, 0};
            pulse_row(law, logged, work, blocks.data(), (int64_t)blocks.size(), totals + row);
        } else {
            pulse_row(law, gate, work, blocks.data(), (int64_t)blocks.size(), totals + row);
        }
        cells.pulse_position[row] = pulses.position();
        cells.write_position[row] = writes.position();
    }
}

static inline LawKernel HWSIM_LAW_KERNEL() { return {train_rows<HWSIM_LAW>, polarity_rows<HWSIM_LAW>}; }

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
