// Pulses on a single column, as a transfer sends them: the lanes of a vector are rows. Every row draws from its own streams, so
// the numbers are those of the row loop, which would spend most of its time on the way from row to row.
// No include guard: included once per instruction set (every_isa.h).
namespace hwsim {
namespace HWSIM_NAMESPACE {

// The normals number `position` of the streams of LANES rows.
HWSIM_INLINE V normals_across(const KeySchedule &keys, const uint64_t *position, const uint32_t *row) {
    constexpr int PAIR = 2; // 64-bit lane i of the first vector is row 2 i, of the second row 2 i + 1
    uint64_t block[PAIR][LANES / 2], c2[PAIR][LANES / 2];
    int32_t odd[LANES], second[LANES];
    for (int i = 0; i < LANES; ++i) {
        const int in_group = (int)(position[i] % BLOCK), word = in_group % (BLOCK / 2);
        block[i % 2][i / 2] = position[i] / BLOCK * 8 + (uint64_t)(word / 2);
        c2[i % 2][i / 2] = row[i];
        odd[i] = word % 2;
        second[i] = in_group / (BLOCK / 2);
    }
    VL v0[PAIR], v1[PAIR], v2[PAIR], v3[PAIR];
    for (int h = 0; h < PAIR; ++h) {
        v0[h] = load<VL>(block[h]);
        v1[h] = v0[h] >> 32;
        v2[h] = load<VL>(c2[h]);
        v3[h] = VL{};
    }
    philox_rounds<PAIR>(keys, v0, v1, v2, v3);
    const Mask is_odd = greater(load<VI>(odd), VI{}), is_second = greater(load<VI>(second), VI{});
    VU word[4];
    const VL *const v[4] = {v0, v1, v2, v3};
    for (int k = 0; k < 4; ++k) word[k] = (VU)((v[k][0] & 0xFFFFFFFFu) | (v[k][1] << 32));
    const VU radius = (VU)select(is_odd, (VI)word[2], (VI)word[0]), angle = (VU)select(is_odd, (VI)word[3], (VI)word[1]);
    V cosine, sine;
    box_muller<1>(&radius, &angle, &cosine, &sine);
    return select(is_second, sine, cosine);
}

// Whether a share is one segment in which one column fires, and nothing asks for more than its counts.
template <class Law>
static bool is_single_column(const RowJob &job) {
    const Trains &t = *job.trains;
    return Law::PLANES > 0 && t.segments == 1 && t.few_count[0] == 1 && t.kind == TrainKind::random && job.side == Side::both &&
           job.probe->row_begin == job.probe->row_end && !job.watch;
}

// The rows that fire in a share of a single column, LANES at a time.
template <class Law>
class ColumnLoop {
public:
    ColumnLoop(const Law &law, const RowJob &job)
        : law_(law), job_(job), cells_(*job.cells), column_(job.trains->few_columns[0]), slots_(job.trains->few_masks[0]),
          negative_((job.trains->few_negative[0] & 1) != 0), pulse_keys_(cells_.key_pulse), write_keys_(cells_.key_write) {}

    void run(int64_t begin, int64_t end, std::vector<RowEntry> *entries) {
        const RowFire *fire = job_.trains->row_fires.data() + job_.trains->row_begin[(size_t)begin];
        const RowFire *last = job_.trains->row_fires.data() + job_.trains->row_begin[(size_t)end];
        for (const RowFire *f = fire; f < last && f < fire + AHEAD; ++f) fetch(*f);
        for (; fire < last; fire += LANES) {
            for (const RowFire *f = fire + AHEAD; f < last && f < fire + AHEAD + LANES; ++f) fetch(*f);
            some_rows(fire, last - fire < LANES ? (int)(last - fire) : LANES, entries);
        }
    }

private:
    static constexpr int AHEAD = 2 * LANES;

    int64_t device(int64_t row) const { return row * cells_.stride + column_; }

    void fetch(const RowFire &fire) const {
        const int64_t at = device(fire.row);
        __builtin_prefetch(cells_.device_params + at * PITCH<Law>);
        __builtin_prefetch(cells_.weight + at, 1);
        if (cells_.apparent) __builtin_prefetch(cells_.apparent + at, 1);
    }

    void some_rows(const RowFire *fire, int n, std::vector<RowEntry> *entries) {
        alignas(64) float weight[LANES], passed[LANES], params[LANES * PITCH<Law>];
        const float *record[LANES];
        uint32_t row[LANES];
        uint64_t position[LANES];
        int32_t count[LANES];
        uint32_t up = 0;
        for (int i = 0; i < LANES; ++i) {
            const RowFire &f = fire[i < n ? i : 0];
            row[i] = (uint32_t)f.row;
            count[i] = i < n ? __builtin_popcount(f.mask & slots_) : 0;
            position[i] = cells_.pulse_position[f.row];
            weight[i] = cells_.weight[device(f.row)];
            record[i] = cells_.device_params + device(f.row) * PITCH<Law>;
            const bool row_negative = job_.trains->row_negative[(size_t)(f.row / 32)] >> (f.row % 32) & 1;
            // Equal signs of x and d step down.
            up |= (uint32_t)(negative_ != (row_negative != job_.negative_rate)) << i;
        }
        if constexpr (PITCH<Law> == 8) take_apart8([&](int i) { return record[i]; }, params, LANES);
        else
            for (int i = 0; i < LANES; ++i)
                for (int plane = 0; plane < Law::PLANES; ++plane) params[plane * LANES + i] = record[i][plane];
        typename Law::Cell cell = law_.load(params, LANES, from_bits(up));
        const VI counts = load<VI>(count);
        V w = load<V>(weight), before = {};
        for (int round = 0;; ++round) {
            const Mask pulsed = greater(counts, splat((int32_t)round));
            if (!bits(pulsed)) break;
            V draw = {};
            if (law_.draws()) {
                draw = normals_across(pulse_keys_, position, row);
                for (int i = 0; i < LANES; ++i) ++position[i];
            }
            const V next = select(pulsed, law_.step(w, cell, draw), w);
            before = before + select(pulsed, w, V{});
            w = next;
        }
        store(weight, w);
        store(passed, before);
        for (int i = 0; i < n; ++i) {
            cells_.weight[device(fire[i].row)] = weight[i];
            if (law_.draws()) cells_.pulse_position[fire[i].row] += (uint64_t)count[i];
            const int64_t ups = up >> i & 1 ? count[i] : 0;
            if (cells_.pulse_counts) cells_.pulse_counts[(up >> i & 1 ? 0 : cells_.rows * cells_.stride) + device(fire[i].row)] += (uint32_t)count[i];
            entries->push_back({0, {ups, count[i] - ups, (double)passed[i]}});
        }
        if (cells_.apparent) write(fire, n, row, count, w);
    }

    // Fresh write noise on the devices that were pulsed.
    void write(const RowFire *fire, int n, const uint32_t *row, const int32_t *count, V w) {
        uint64_t position[LANES];
        float seen[LANES];
        for (int i = 0; i < LANES; ++i) position[i] = cells_.write_position[row[i]];
        store(seen, w + normals_across(write_keys_, position, row) * cells_.write_noise);
        for (int i = 0; i < n; ++i) {
            if (count[i] == 0) continue;
            cells_.apparent[device(fire[i].row)] = seen[i];
            ++cells_.write_position[fire[i].row];
        }
    }

    const Law &law_;
    const RowJob &job_;
    const Cells &cells_;
    const int64_t column_;
    const uint32_t slots_;
    const bool negative_;
    const KeySchedule pulse_keys_, write_keys_;
};

}  // namespace HWSIM_NAMESPACE
}  // namespace hwsim
