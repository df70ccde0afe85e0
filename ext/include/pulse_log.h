// The pulse log: pulses as the kernel gives them, their order in time, and their columns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hwsim {

// Memory for `bytes` bytes. Much of it comes in large pages where the system has them: pulses are put in order all over it, and to
// look up a page for each of them would take longer than to move it.
struct Release {
    void operator()(void *memory) const { std::free(memory); }
};
inline void *reserve(size_t bytes) {
    void *memory = nullptr;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr size_t PAGE = (size_t)2 << 20;
    if (bytes >= 2 * PAGE) {
        memory = std::aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
        if (memory) madvise(memory, bytes / PAGE * PAGE, MADV_HUGEPAGE); // a wish: where it is not heard, pages are small
    }
#endif
    if (!memory) memory = std::malloc(bytes);
    if (!memory) throw std::bad_alloc();
    return memory;
}

// Plain values that grow in number. New ones are left unset: whoever asks for them writes them.
template <class T>
class Buffer {
public:
    // Room for `n` more values, which count once they are `add`ed.
    T *room(size_t n) {
        if (size_ + n > capacity_) {
            const size_t capacity = std::max(size_ + n, 2 * capacity_);
            Memory larger((T *)reserve(capacity * sizeof(T)));
            if (size_) std::memcpy(larger.get(), data_.get(), size_ * sizeof(T));
            data_ = std::move(larger);
            capacity_ = capacity;
        }
        return data_.get() + size_;
    }
    void add(size_t n) { size_ += n; }
    T *data() { return data_.get(); }
    const T *data() const { return data_.get(); }
    size_t size() const { return size_; }
    void clear() { size_ = 0; }
    // Empties it, and gives the room back if it is larger than that of `kept` values.
    void shrink(size_t kept) {
        size_ = 0;
        if (capacity_ <= kept) return;
        data_.reset();
        capacity_ = 0;
    }

private:
    typedef std::unique_ptr<T[], Release> Memory;
    Memory data_;
    size_t size_ = 0, capacity_ = 0;
};

// A pulse on a row. A moment is a slot of a phase of a sample, counted over the share. `line` is the column of an up pulse, ~column
// of a down pulse.
struct RawPulse {
    uint32_t moment;
    int32_t line;
    float dw, w;
    int32_t column() const { return line ^ line >> 31; }
};

// Pulses as the rows of a share give them: row by row, of each row sample by sample, column by column, slot by slot.
struct RawPulses {
    struct Row {
        int32_t row;
        size_t begin;
    };

    Buffer<RawPulse> pulses;
    std::vector<Row> rows;
    // Devices whose pulses come next, where each stands in `history`, and their weights before and after each pulse.
    Buffer<int32_t> device, at;
    Buffer<float> history;

    void begin_row(int64_t row) { rows.push_back({(int32_t)row, pulses.size()}); }

    // Puts the pulses of a segment of random trains, from `begin` on, into the order of column and slot.
    void sort_segment(size_t begin) {
        RawPulse *first = pulses.data() + begin, *last = pulses.data() + pulses.size();
        const auto before = [](const RawPulse &a, const RawPulse &b) {
            return a.column() != b.column() ? a.column() < b.column() : a.moment < b.moment;
        };
        if (!std::is_sorted(first, last, before)) std::sort(first, last, before);
    }

    // Calls each(row, pulse) for all pulses.
    template <class Each>
    void visit(const Each &each) const {
        for (size_t r = 0; r < rows.size(); ++r) {
            const size_t end = r + 1 < rows.size() ? rows[r + 1].begin : pulses.size();
            for (size_t i = rows[r].begin; i < end; ++i) each(rows[r].row, pulses.data()[i]);
        }
    }

    void clear() {
        pulses.shrink(KEPT);
        rows.clear();
        device.clear();
        at.clear();
        history.clear();
    }

    static constexpr size_t HISTORY = 4096;          // floats of the history that may wait
    static constexpr size_t KEPT = (size_t)4 << 20; // pulses for which room is kept until the next share
};

// When the trains of an update fire: sample k from starts[k] on, `phases` (1, or 2: up pulses, then down pulses) trains of
// slots of `slot` each.
struct LogClock {
    const int64_t *starts = nullptr;
    int64_t slot = 0;
    int phases = 1;
};

// Where the columns of a log go, each with room for all of its pulses; `t` is null without a clock.
struct LogColumns {
    int64_t *t, *sample;
    int32_t *slot, *row, *col;
    int8_t *polarity;
    float *dw, *w;
};

// Pulses in order of sample, phase, slot, row and column.
class PulseLog {
public:
    // Most moments of a share of more than one sample.
    static constexpr int64_t MOST_MOMENTS = (int64_t)1 << 31;

    // Where the moments of each of `n` samples of a share begin, which take `slots` slots a phase.
    void begin_share(int64_t first, int64_t n, const int32_t *slots, const LogClock &clock) {
        first_ = first;
        clock_ = clock;
        slots_.assign(slots, slots + n);
        begin_.assign(1, 0);
        for (int64_t s = 0; s < n; ++s) begin_.push_back(begin_.back() + (int64_t)clock.phases * slots[s]);
    }

    uint32_t moment_of(int64_t sample, bool up) const {
        return (uint32_t)(begin_[(size_t)sample] + (clock_.phases == 2 && !up ? slots_[(size_t)sample] : 0));
    }

    // Takes the pulses of a share; `parts` hold its rows in order.
    void end_share(const std::vector<RawPulses> &parts) {
        size_t n = 0;
        for (const RawPulses &part : parts) n += part.pulses.size();
        if (n == 0) return;
        Pulse *to = pulses_.room(n);
        if (begin_.back() <= (int64_t)(4 * n) + (1 << 16)) by_counting(parts, to);
        else by_sorting(parts, n, to);
        pulses_.add(n);
    }

    size_t size() const { return pulses_.size(); }
    bool has_times() const { return clock_.starts != nullptr; }

    void write(LogColumns to) const {
        for (const Moment &m : moments_) {
            if (to.t) to.t = std::fill_n(to.t, m.pulses, m.t);
            to.sample = std::fill_n(to.sample, m.pulses, m.sample);
            to.slot = std::fill_n(to.slot, m.pulses, m.slot);
        }
        for (size_t i = 0; i < size(); ++i) {
            const Pulse pulse = pulses_.data()[i];
            to.row[i] = pulse.row;
            to.col[i] = pulse.line ^ pulse.line >> 31;
            to.polarity[i] = (int8_t)(1 | pulse.line >> 31);
            to.dw[i] = pulse.dw;
            to.w[i] = pulse.w;
        }
    }

    void clear() {
        pulses_.shrink(RawPulses::KEPT);
        moments_.clear();
        clock_ = {};
    }

private:
    struct Pulse {
        int32_t row, line; // `line` as in a RawPulse
        float dw, w;
    };

    // A moment that has pulses, and how many.
    struct Moment {
        int64_t t, sample;
        int32_t slot;
        size_t pulses;
    };

    // Tells the moments of a share one after the other.
    class Teller {
    public:
        explicit Teller(const PulseLog &log) : log_(log) {}
        Moment tell(int64_t moment, size_t pulses) {
            while (log_.begin_[sample_ + 1] <= moment) ++sample_;
            const int64_t offset = moment - log_.begin_[sample_], slots = log_.slots_[sample_], sample = log_.first_ + (int64_t)sample_;
            const int64_t t = log_.clock_.starts ? log_.clock_.starts[sample] + offset * log_.clock_.slot : 0;
            return {t, sample, (int32_t)(offset < slots ? offset : offset - slots), pulses};
        }

    private:
        const PulseLog &log_;
        size_t sample_ = 0;
    };

    void by_counting(const std::vector<RawPulses> &parts, Pulse *to) {
        next_.assign((size_t)begin_.back(), 0);
        for (const RawPulses &part : parts)
            for (size_t i = 0; i < part.pulses.size(); ++i) ++next_[part.pulses.data()[i].moment];
        Teller teller(*this);
        size_t begin = 0;
        for (size_t m = 0; m < next_.size(); ++m) {
            const size_t n = next_[m];
            if (n) moments_.push_back(teller.tell((int64_t)m, n));
            next_[m] = begin;
            begin += n;
        }
        size_t *next = next_.data();
        for (const RawPulses &part : parts)
            part.visit([&](int32_t row, const RawPulse &pulse) { to[next[pulse.moment]++] = {row, pulse.line, pulse.dw, pulse.w}; });
    }

    // Few pulses in very long trains: counting the moments would take longer than sorting the pulses.
    void by_sorting(const std::vector<RawPulses> &parts, size_t n, Pulse *to) {
        struct Timed {
            uint32_t moment;
            Pulse pulse;
        };
        std::vector<Timed> order;
        order.reserve(n);
        for (const RawPulses &part : parts)
            part.visit([&](int32_t row, const RawPulse &pulse) { order.push_back({pulse.moment, {row, pulse.line, pulse.dw, pulse.w}}); });
        std::stable_sort(order.begin(), order.end(), [](const Timed &a, const Timed &b) { return a.moment < b.moment; });
        Teller teller(*this);
        for (size_t i = 0; i < order.size(); ++i) {
            if (i == 0 || order[i].moment != order[i - 1].moment) moments_.push_back(teller.tell(order[i].moment, 0));
            ++moments_.back().pulses;
            to[i] = order[i].pulse;
        }
    }

    int64_t first_ = 0;
    LogClock clock_;
    std::vector<int32_t> slots_;
    std::vector<int64_t> begin_;
    std::vector<size_t> next_;
    Buffer<Pulse> pulses_;
    std::vector<Moment> moments_;
};

}  // namespace hwsim
