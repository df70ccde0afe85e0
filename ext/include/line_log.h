// The log of lines: in which slots the rows and columns of a probed region fire.
#pragma once

#include <cstdint>

#include "pulse_log.h"

namespace hwsim {

// The firings of some lines in one segment: `line[k]` fires in the slots of masks[line[k]].
struct FiringLines {
    const int32_t *line;
    int64_t n;
    const uint32_t *masks, *negative; // `negative`: one bit a line
    int64_t begin, end;               // the lines that are probed
    bool turned;                      // whether signs are turned round

    template <class Each>
    void visit(const Each &each) const {
        for (int64_t k = 0; k < n; ++k)
            if (line[k] >= begin && line[k] < end)
                for (uint32_t slots = masks[line[k]]; slots; slots &= slots - 1) each(line[k], __builtin_ctz(slots));
    }
    int8_t sign(int32_t i) const { return ((negative[i / 32] >> (i % 32) & 1) != 0) == turned ? 1 : -1; }
};

// Firings in order of sample, slot, side (rows first) and line.
class LineLog {
public:
    Buffer<int64_t> sample;
    Buffer<int32_t> slot, line;
    Buffer<int8_t> column, sign;

    // Takes the firings of a segment, which begins in slot `first` of a sample.
    void take(int64_t of_sample, int32_t first, const FiringLines &rows, const FiringLines &columns) {
        constexpr int SIDES = 2, SLOTS = 32;
        const FiringLines *const lines[SIDES] = {&rows, &columns};
        size_t next[SLOTS][SIDES] = {}, total = 0;
        for (int side = 0; side < SIDES; ++side) lines[side]->visit([&](int32_t, int at) { ++next[at][side]; });
        for (auto &slot_next : next)
            for (size_t &begin : slot_next) {
                const size_t n = begin;
                begin = total;
                total += n;
            }
        int64_t *samples = sample.room(total);
        int32_t *slots = slot.room(total), *numbers = line.room(total);
        int8_t *are_columns = column.room(total), *signs = sign.room(total);
        std::fill_n(samples, total, of_sample);
        for (int side = 0; side < SIDES; ++side)
            lines[side]->visit([&](int32_t i, int at) {
                const size_t to = next[at][side]++;
                slots[to] = first + at;
                numbers[to] = i;
                are_columns[to] = (int8_t)side;
                signs[to] = lines[side]->sign(i);
            });
        sample.add(total), slot.add(total), line.add(total), column.add(total), sign.add(total);
    }

    void clear() { sample.clear(), slot.clear(), line.clear(), column.clear(), sign.clear(); }
};

}  // namespace hwsim
