// Drives an update: trains of a few samples at a time, then all rows, shared out to threads in whole rows.
#pragma once

#include <algorithm>

#include "line_log.h"
#include "update_job.h"

#define HWSIM_BODY "update_body.h"
#include "every_isa.h"
#undef HWSIM_BODY

namespace hwsim {

struct UpdateInput {
    const float *x = nullptr, *d = nullptr; // [n][cols], [n][rows]
    int64_t n = 0;
    const int32_t *bl = nullptr;                              // [n]
    const double *col_gain = nullptr, *row_gain = nullptr;    // [n]
    bool negative_rate = false;
    Side side = Side::both;
    bool two_passes = false; // a train of its own for the columns with positive x, then one for those with negative x
    TrainSide x_side, d_side;
    uint64_t first_ordinal = 0; // number of samples the array has seen before
    Probe probe;
    LogClock clock;
    const int32_t *column = nullptr; // [n] the column that is read after each sample; null: no watch is kept
    int threads = 1;
};

struct UpdateOutput {
    int64_t *up = nullptr, *down = nullptr; // [n]
    double *weight = nullptr;               // [n]
    uint32_t *row_fires = nullptr, *col_fires = nullptr; // [n][rows], [n][cols]; firings are added
    float *read = nullptr;      // [n][rows], see Watch
    double *on_lines = nullptr; // [n]
    PulseLog *log = nullptr;   // takes the pulses in the probe; null: nothing is logged
    LineLog *lines = nullptr; // takes the firings of its lines where there are random trains; null: the same
};

// What is logged, and the room that it takes on the way; the next update of any array uses it again.
struct LogRoom {
    PulseLog log;
    LineLog lines;
    std::vector<RawPulses> parts;

    static LogRoom &of_this_thread() {
        static thread_local LogRoom room;
        return room;
    }
    void clear() {
        log.clear();
        lines.clear();
        for (RawPulses &part : parts) part.clear();
    }
};

inline int64_t padded(int64_t n) { return (n + 31) / 32 * 32; }

template <class Work>
void share_rows(int64_t rows, int threads, const Work &work) {
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int t = 0; t < threads; ++t) work(t, rows * t / threads, rows * (t + 1) / threads);
        return;
    }
#endif
    for (int t = 0; t < threads; ++t) work(t, rows * t / threads, rows * (t + 1) / threads);
}

class Updater {
public:
    void run(const Cells &cells, const UpdateInput &in, UpdateOutput *out) {
        // The column masks of one share stay in the second-level cache while the rows pass over them.
        const int64_t budget = std::max<int64_t>(1, (256 << 10) / (4 * cells.stride));
        for (int64_t first = 0; first < in.n;) {
            int64_t last = first, segments = 0;
            int64_t moments = 0;
            while (last < in.n && (last == first || (segments + segments_of(in, last) <= budget &&
                                                     moments + moments_of(in, last) <= PulseLog::MOST_MOMENTS))) {
                segments += segments_of(in, last);
                moments += moments_of(in, last++);
            }
            draw(cells, in, first, last, segments, out);
            if (out->lines && trains_.kind == TrainKind::random) log_lines(cells, in, first, out->lines);
            apply(cells, in, first, last - first, out);
            first = last;
        }
    }

private:
    static int64_t segments_of_pass(const UpdateInput &in, int64_t sample) {
        return in.bl[sample] == 0 ? 0 : in.x_side.kind == TrainKind::random ? (in.bl[sample] + 31) / 32 : 1;
    }

    static int64_t segments_of(const UpdateInput &in, int64_t sample) { return segments_of_pass(in, sample) * (in.two_passes ? 2 : 1); }

    static int64_t slots_of(const UpdateInput &in, int64_t sample) { return (int64_t)in.bl[sample] * (in.two_passes ? 2 : 1); }

    static int64_t moments_of(const UpdateInput &in, int64_t sample) { return slots_of(in, sample) * in.clock.phases; }

    // A side in one pass of two: columns of one sign, and slots of its own in the random streams.
    static TrainSide in_pass(TrainSide side, const UpdateInput &in, int pass) {
        if (in.two_passes && side.index == 0) side.keep = pass == 0 ? 1 : -1;
        side.index += 2 * (uint32_t)pass;
        return side;
    }

    void draw(const Cells &cells, const UpdateInput &in, int64_t first, int64_t last, int64_t segments, UpdateOutput *out) {
        Trains &t = trains_;
        const int64_t row_pitch = padded(cells.rows);
        t.kind = in.x_side.kind;
        t.samples = last - first;
        t.segments = segments;
        t.blocks = cells.stride / 32;
        t.row_words = row_pitch / 32;
        t.segment_sample.resize((size_t)segments);
        t.segment_slot.resize((size_t)segments);
        t.segment_bl.resize((size_t)segments);
        t.col_masks.resize((size_t)(segments * cells.stride));
        t.col_negative.resize((size_t)(t.samples * t.blocks));
        t.row_negative.resize((size_t)(t.samples * t.row_words));
        row_draws_.resize((size_t)(segments * row_pitch));
        row_firing_.resize((size_t)(segments * t.row_words));
        col_firing_.resize((size_t)(segments * t.blocks));
        int64_t at = 0;
        for (int64_t s = first; s < last; ++s) {
            const int64_t n = segments_of_pass(in, s);
            if (n == 0) continue;
            for (int pass = 0; pass < (in.two_passes ? 2 : 1); ++pass) {
                for (int64_t k = 0; k < n; ++k) {
                    t.segment_sample[(size_t)(at + k)] = (int32_t)(s - first);
                    t.segment_slot[(size_t)(at + k)] = (int32_t)(pass * in.bl[s] + 32 * k);
                    t.segment_bl[(size_t)(at + k)] = in.bl[s];
                }
                HWSIM_DISPATCH(draw_trains, in_pass(in.x_side, in, pass), in.x + s * cells.cols, cells.cols, cells.stride,
                               in.first_ordinal + (uint64_t)s, in.bl[s], in.col_gain[s], t.col_masks.data() + at * cells.stride,
                               t.col_negative.data() + (s - first) * t.blocks, col_firing_.data() + at * t.blocks, out->col_fires + s * cells.cols);
                HWSIM_DISPATCH(draw_trains, in_pass(in.d_side, in, pass), in.d + s * cells.rows, cells.rows, row_pitch,
                               in.first_ordinal + (uint64_t)s, in.bl[s], in.row_gain[s], row_draws_.data() + at * row_pitch,
                               t.row_negative.data() + (s - first) * t.row_words, row_firing_.data() + at * t.row_words, out->row_fires + s * cells.rows);
                at += n;
            }
        }
        list_rows(cells.rows, row_pitch);
        list_columns(cells.stride);
    }

    // Writes the lines whose bits are set to `lines`; returns how many.
    static int64_t list_lines(const uint32_t *firing, int64_t blocks, int32_t *lines) {
        int64_t n = 0;
        for (int64_t b = 0; b < blocks; ++b)
            for (uint32_t any = firing[b]; any; any &= any - 1) lines[n++] = (int32_t)(b * 32) + __builtin_ctz(any);
        return n;
    }

    // Sorts the firings of the rows by row: count, then place.
    void list_rows(int64_t rows, int64_t row_pitch) {
        Trains &t = trains_;
        firing_rows_.resize((size_t)(t.segments * row_pitch));
        firing_rows_begin_.assign(1, 0);
        t.row_begin.assign((size_t)rows + 1, 0);
        int64_t n = 0;
        for (int64_t k = 0; k < t.segments; ++k) {
            n += list_lines(row_firing_.data() + k * t.row_words, t.row_words, firing_rows_.data() + n);
            firing_rows_begin_.push_back(n);
        }
        for (int64_t i = 0; i < n; ++i) ++t.row_begin[(size_t)firing_rows_[(size_t)i] + 1];
        for (int64_t row = 0; row < rows; ++row) t.row_begin[(size_t)row + 1] += t.row_begin[(size_t)row];
        t.row_fires.resize((size_t)n);
        row_next_.assign(t.row_begin.begin(), t.row_begin.end());
        for (int64_t k = 0; k < t.segments; ++k)
            for (int64_t i = firing_rows_begin_[(size_t)k]; i < firing_rows_begin_[(size_t)k + 1]; ++i) {
                const int32_t row = firing_rows_[(size_t)i];
                t.row_fires[(size_t)row_next_[(size_t)row]++] = {(int32_t)k, row, row_draws_[(size_t)(k * row_pitch + row)]};
            }
    }

    void log_lines(const Cells &cells, const UpdateInput &in, int64_t first, LineLog *log) {
        const Trains &t = trains_;
        const int64_t row_pitch = padded(cells.rows);
        for (int64_t k = 0; k < t.segments; ++k) {
            const int64_t sample = t.segment_sample[(size_t)k], begin = firing_rows_begin_[(size_t)k];
            const int64_t columns = list_lines(col_firing_.data() + k * t.blocks, t.blocks, columns_.data());
            log->take(first + sample, t.segment_slot[(size_t)k],
                      {firing_rows_.data() + begin, firing_rows_begin_[(size_t)k + 1] - begin, row_draws_.data() + k * row_pitch,
                       t.row_negative.data() + sample * t.row_words, in.probe.row_begin, in.probe.row_end, in.negative_rate},
                      {columns_.data(), columns, t.col_masks.data() + k * cells.stride, t.col_negative.data() + sample * t.blocks,
                       in.probe.col_begin, in.probe.col_end, false});
        }
    }

    // Blocks that hold firing columns; and the columns themselves where visiting them one by one is less work.
    void list_columns(int64_t stride) {
        Trains &t = trains_;
        t.firing_begin.assign(1, 0);
        t.few_begin.assign(1, 0);
        t.firing_blocks.clear();
        t.few_columns.clear();
        t.few_masks.clear();
        t.few_negative.clear();
        t.few_count.assign((size_t)t.segments, 0);
        columns_.resize((size_t)stride);
        for (int64_t k = 0; k < t.segments; ++k) {
            const uint32_t *firing = col_firing_.data() + k * t.blocks;
            for (int64_t b = 0; b < t.blocks; ++b)
                if (firing[b]) t.firing_blocks.push_back((int32_t)b);
            t.firing_begin.push_back((int64_t)t.firing_blocks.size());
            const int64_t n_blocks = t.firing_begin[(size_t)k + 1] - t.firing_begin[(size_t)k];
            const int64_t n = t.kind == TrainKind::random ? list_lines(firing, t.blocks, columns_.data()) : 0;
            if (n > 0 && n <= FEW && n <= PER_BLOCK * n_blocks) gather_columns(t.col_masks.data() + k * stride, k, n);
            t.few_begin.push_back((int64_t)t.few_columns.size());
        }
    }

    void gather_columns(const uint32_t *masks, int64_t segment, int64_t n) {
        Trains &t = trains_;
        const uint32_t *negative = t.col_negative.data() + t.segment_sample[(size_t)segment] * t.blocks;
        const size_t from = t.few_columns.size();
        t.few_count[(size_t)segment] = (int32_t)n;
        t.few_columns.resize(from + (size_t)padded(n), columns_[0]);
        t.few_masks.resize(from + (size_t)padded(n), 0);
        t.few_negative.resize((from + (size_t)padded(n)) / 32, 0);
        int32_t next[34] = {}; // where the next column with so many slots goes
        for (int64_t k = 0; k < n; ++k) ++next[33 - __builtin_popcount(masks[columns_[(size_t)k]])];
        for (int slots = 1; slots < 34; ++slots) next[slots] += next[slots - 1];
        for (int64_t k = 0; k < n; ++k) {
            const int32_t col = columns_[(size_t)k];
            const int32_t i = next[32 - __builtin_popcount(masks[col])]++;
            t.few_columns[from + (size_t)i] = col;
            t.few_masks[from + (size_t)i] = masks[col];
            t.few_negative[(from + (size_t)i) / 32] |= (negative[col / 32] >> (col % 32) & 1) << (i % 32);
        }
    }

    void apply(const Cells &cells, const UpdateInput &in, int64_t first, int64_t samples, UpdateOutput *out) {
        entries_.resize((size_t)in.threads);
        std::vector<RawPulses> &parts = LogRoom::of_this_thread().parts;
        parts.resize((size_t)in.threads);
        const LawKernel kernel = law_kernel(cells.law);
        if (out->log) {
            slots_.clear();
            for (int64_t s = first; s < first + samples; ++s) slots_.push_back((int32_t)slots_of(in, s));
            out->log->begin_share(first, samples, slots_.data(), in.clock);
        }
        const Watch watch = in.column ? watch_samples(cells, in, first, samples, *out) : Watch{};
        const RowJob job{&cells, &trains_, in.negative_rate, in.side, &in.probe, out->log, in.column ? &watch : nullptr};
        share_rows(cells.rows, in.threads, [&](int thread, int64_t begin, int64_t end) {
            entries_[(size_t)thread].clear();
            kernel.train(job, begin, end, &entries_[(size_t)thread], &parts[(size_t)thread]);
        });
        if (out->log) out->log->end_share(parts);
        for (RawPulses &part : parts) part.clear();
        for (int64_t s = 0; s < samples; ++s) out->up[first + s] = out->down[first + s] = 0, out->weight[first + s] = 0;
        // Threads hold rows in order, so the sums do not depend on their number.
        for (const auto &entries : entries_)
            for (const RowEntry &e : entries) {
                out->up[first + e.sample] += e.totals.up;
                out->down[first + e.sample] += e.totals.down;
                out->weight[first + e.sample] += e.totals.weight;
            }
        if (!in.column) return;
        for (int64_t s = 0; s < samples; ++s) out->on_lines[first + s] = 0;
        for (int64_t row = 0; row < cells.rows; ++row)
            for (int64_t s = 0; s < samples; ++s) out->on_lines[first + s] += on_lines_[(size_t)(row * samples + s)];
    }

    Watch watch_samples(const Cells &cells, const UpdateInput &in, int64_t first, int64_t samples, const UpdateOutput &out) {
        fires_.assign((size_t)(samples * cells.stride), 0.0f);
        on_lines_.resize((size_t)(samples * cells.rows));
        for (int64_t s = 0; s < samples; ++s)
            for (int64_t col = 0; col < cells.cols; ++col)
                fires_[(size_t)(s * cells.stride + col)] = (float)out.col_fires[(first + s) * cells.cols + col];
        return {in.column + first, out.read + first * cells.rows, fires_.data(), out.row_fires + first * cells.rows, on_lines_.data()};
    }

    Trains trains_;
    std::vector<uint32_t> row_draws_, row_firing_, col_firing_;
    std::vector<int32_t> firing_rows_, columns_;
    std::vector<int64_t> firing_rows_begin_, row_next_;
    std::vector<std::vector<RowEntry>> entries_;
    std::vector<int32_t> slots_;
    std::vector<float> fires_;
    std::vector<double> on_lines_;
};

// One pulse of given polarity on every device: polarity is [rows][stride].
inline void run_polarity(const Cells &cells, const int32_t *polarity, const Probe &probe, int threads, UpdateOutput *out) {
    std::vector<RowTotals> totals((size_t)cells.rows);
    std::vector<RawPulses> &parts = LogRoom::of_this_thread().parts;
    parts.resize((size_t)threads);
    const int32_t one_slot = 1;
    if (out->log) out->log->begin_share(0, 1, &one_slot, {});
    const LawKernel kernel = law_kernel(cells.law);
    share_rows(cells.rows, threads, [&](int thread, int64_t begin, int64_t end) {
        kernel.polarity(cells, polarity, begin, end, probe, totals.data(), &parts[(size_t)thread]);
    });
    if (out->log) out->log->end_share(parts);
    for (RawPulses &part : parts) part.clear();
    *out->up = *out->down = 0;
    *out->weight = 0;
    for (const RowTotals &t : totals) {
        *out->up += t.up;
        *out->down += t.down;
        *out->weight += t.weight;
    }
}

// Write noise on the devices of all rows: apparent = persistent + noise. Takes one normal a device from the rows' streams.
inline void run_write_noise(const Cells &cells) {
    for (int64_t row = 0; row < cells.rows; ++row) {
        const uint64_t position = cells.write_position[row], group = position / 32;
        const int64_t skip = (int64_t)(position % 32), groups = (skip + cells.cols + 31) / 32;
        std::vector<float> draws((size_t)(groups * 32));
        HWSIM_DISPATCH(draw_normals, cells.key_write, group, (uint32_t)row, 0u, groups, draws.data());
        for (int64_t col = 0; col < cells.cols; ++col)
            cells.apparent[row * cells.stride + col] =
                cells.weight[row * cells.stride + col] + cells.write_noise * draws[(size_t)(skip + col)];
        cells.write_position[row] = position + (uint64_t)cells.cols;
    }
}

}  // namespace hwsim
