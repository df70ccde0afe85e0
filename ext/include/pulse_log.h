// The pulse log: columns that the kernel fills while it pulses, and their order in time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace hwsim {

// A column that grows. New elements are left unset: whoever asks for them writes them.
template <class T>
class Column {
public:
    T *grow(size_t n) {
        if (size_ + n > capacity_) {
            const size_t capacity = std::max(size_ + n, 2 * capacity_);
            std::unique_ptr<T[]> larger(new T[capacity]);
            if (size_) std::memcpy(larger.get(), data_.get(), size_ * sizeof(T));
            data_ = std::move(larger);
            capacity_ = capacity;
        }
        T *at = data_.get() + size_;
        size_ += n;
        return at;
    }
    const T *data() const { return data_.get(); }
    T *data() { return data_.get(); }
    size_t size() const { return size_; }
    void clear() { size_ = 0; }

private:
    std::unique_ptr<T[]> data_;
    size_t size_ = 0, capacity_ = 0;
};

// Pulses as the rows of a share give them: row by row, of each row sample by sample, column by column, slot by slot.
// A moment is a slot of a phase of a sample, counted over the share.
struct RawPulses {
    Column<int64_t> moment;
    Column<int32_t> row, col;
    Column<int8_t> polarity;
    Column<float> dw, w;
    std::vector<float> history; // weights of a block of devices before and after each of its pulses

    size_t size() const { return row.size(); }

    // Puts the pulses of a row from `from` on, which came in the order of the `n` devices in `columns`, into that of the columns:
    // `ascending` are the places of the devices in it.
    void reorder(size_t from, const int32_t *columns, const int32_t *ascending, int32_t n) {
        const size_t pulses = size() - from;
        if (std::is_sorted(col.data() + from, col.data() + size())) return;
        runs_.assign((size_t)n, {0, 0});
        for (size_t at = from, device = 0; at < size(); ++device) {
            const size_t start = at;
            while (at < size() && col.data()[at] == columns[device]) ++at;
            runs_[device] = {start - from, at - start};
        }
        put_in_order(moment.data() + from, pulses, ascending);
        put_in_order(col.data() + from, pulses, ascending);
        put_in_order(polarity.data() + from, pulses, ascending);
        put_in_order(dw.data() + from, pulses, ascending);
        put_in_order(w.data() + from, pulses, ascending);
    }

    void clear() {
        moment.clear();
        row.clear();
        col.clear();
        polarity.clear();
        dw.clear();
        w.clear();
    }

private:
    // The pulses of a device: where they begin, and how many they are.
    struct Run {
        size_t start, length;
    };

    template <class T>
    void put_in_order(T *values, size_t n, const int32_t *ascending) {
        scratch_.resize(n * sizeof(T));
        std::memcpy(scratch_.data(), values, n * sizeof(T));
        for (size_t k = 0; k < runs_.size(); ++k) {
            const Run run = runs_[(size_t)ascending[k]];
            std::memcpy(values, scratch_.data() + run.start * sizeof(T), run.length * sizeof(T));
            values += run.length;
        }
    }

    std::vector<Run> runs_;
    std::vector<char> scratch_;
};

// When the trains of an update fire: sample k from starts[k] on, `phases` (1, or 2: up pulses, then down pulses) trains of
// slots of `slot` each.
struct LogClock {
    const int64_t *starts = nullptr;
    int64_t slot = 0;
    int phases = 1;
};

// Pulses in order of sample, phase, slot, row and column. `t` stays empty without a clock.
class PulseLog {
public:
    Column<int64_t> t, sample;
    Column<int32_t> slot, row, col;
    Column<int8_t> polarity;
    Column<float> dw, w;

    // Where the moments of each of `n` samples of a share begin, which take `slots` slots a phase.
    void begin_share(int64_t first, int64_t n, const int32_t *slots, const LogClock &clock) {
        first_ = first;
        clock_ = clock;
        slots_.assign(slots, slots + n);
        begin_.assign(1, 0);
        for (int64_t s = 0; s < n; ++s) begin_.push_back(begin_.back() + (int64_t)clock.phases * slots[s]);
    }

    int64_t moment_of(int64_t sample, bool up) const {
        return begin_[(size_t)sample] + (clock_.phases == 2 && !up ? slots_[(size_t)sample] : 0);
    }

    // Takes the pulses of a share; `parts` hold its rows in order.
    void end_share(const std::vector<RawPulses> &parts) {
        size_t n = 0;
        for (const RawPulses &part : parts) n += part.size();
        if (n == 0) return;
        const int64_t moments = begin_.back();
        if (moments <= (int64_t)(4 * n) + (1 << 16)) by_counting(parts, n, moments);
        else by_sorting(parts, n);
    }

private:
    struct Target {
        int32_t *row, *col;
        int8_t *polarity;
        float *dw, *w;
        void put(size_t at, const RawPulses &from, size_t i) const {
            row[at] = from.row.data()[i];
            col[at] = from.col.data()[i];
            polarity[at] = from.polarity.data()[i];
            dw[at] = from.dw.data()[i];
            w[at] = from.w.data()[i];
        }
    };

    Target room(size_t n) { return {row.grow(n), col.grow(n), polarity.grow(n), dw.grow(n), w.grow(n)}; }

    void by_counting(const std::vector<RawPulses> &parts, size_t n, int64_t moments) {
        next_.assign((size_t)moments + 1, 0);
        for (const RawPulses &part : parts)
            for (size_t i = 0; i < part.size(); ++i) ++next_[(size_t)part.moment.data()[i] + 1];
        stamp(n, [&](int64_t moment) { return next_[(size_t)moment + 1]; });
        for (int64_t m = 0; m < moments; ++m) next_[(size_t)m + 1] += next_[(size_t)m];
        const Target to = room(n);
        for (const RawPulses &part : parts)
            for (size_t i = 0; i < part.size(); ++i) to.put((size_t)next_[(size_t)part.moment.data()[i]]++, part, i);
    }

    // Few pulses in very long trains: counting the moments would take longer than sorting the pulses.
    void by_sorting(const std::vector<RawPulses> &parts, size_t n) {
        struct Place {
            int64_t moment;
            uint32_t part, index;
        };
        std::vector<Place> order;
        order.reserve(n);
        for (size_t p = 0; p < parts.size(); ++p)
            for (size_t i = 0; i < parts[p].size(); ++i) order.push_back({parts[p].moment.data()[i], (uint32_t)p, (uint32_t)i});
        std::stable_sort(order.begin(), order.end(), [](const Place &a, const Place &b) { return a.moment < b.moment; });
        size_t at = 0;
        int64_t *times = clock_.starts ? t.grow(n) : nullptr, *samples = sample.grow(n);
        int32_t *slots = slot.grow(n);
        const Target to = room(n);
        for (const Place &place : order) {
            const auto after = std::upper_bound(begin_.begin(), begin_.end(), place.moment);
            const int64_t s = after - begin_.begin() - 1, offset = place.moment - begin_[(size_t)s];
            samples[at] = first_ + s;
            slots[at] = (int32_t)(offset % slots_[(size_t)s]);
            if (times) times[at] = clock_.starts[first_ + s] + offset * clock_.slot;
            to.put(at++, parts[place.part], place.index);
        }
    }

    // Writes time, sample and slot of `n` pulses; `count(moment)` says how many a moment has.
    template <class Count>
    void stamp(size_t n, const Count &count) {
        int64_t *times = clock_.starts ? t.grow(n) : nullptr, *samples = sample.grow(n);
        int32_t *slots = slot.grow(n);
        int64_t moment = 0;
        for (size_t s = 0; s < slots_.size(); ++s)
            for (int phase = 0; phase < clock_.phases; ++phase)
                for (int32_t k = 0; k < slots_[s]; ++k, ++moment) {
                    const size_t c = (size_t)count(moment);
                    if (times) times = std::fill_n(times, c, clock_.starts[first_ + (int64_t)s] + (moment - begin_[s]) * clock_.slot);
                    samples = std::fill_n(samples, c, first_ + (int64_t)s);
                    slots = std::fill_n(slots, c, k);
                }
    }

    int64_t first_ = 0;
    LogClock clock_;
    std::vector<int32_t> slots_;
    std::vector<int64_t> begin_, next_;
};

}  // namespace hwsim
